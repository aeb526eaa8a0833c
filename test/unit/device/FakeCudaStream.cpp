// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The entry points of the fake driver for streams, events and launches outside
// of graphs. Time is made up, and the same in every run: see durationOf().

#include "FakeEntry.h"

using namespace fakecuda;

namespace {

/// Microseconds of a node: one for each block or 1,000 bytes, and 5 for a
/// launch, of which a graph saves 4.
double durationOf(const FakeNode &node, bool isInGraph) {
  double work = node.function ? double(node.gridX) * node.gridY
                              : double(node.bytes) * 1e-3;
  return work + (isInGraph ? 1 : 5);
}

double durationOf(const Operation &operation) {
  if (!operation.exec)
    return durationOf(operation.node, false);
  double sum = 0;
  for (const FakeNode &node : operation.exec->nodes)
    sum += durationOf(node, true);
  return sum;
}

} // namespace

EXPORT Result cuStreamCreate(Stream *stream, uint32_t flags) {
  ENTER(cuStreamCreate, true)
  if (flags != StreamNonBlocking)
    return m.misused("cuStreamCreate: a stream that waits for the default one");
  return create(m.streams, stream, new FakeStream);
}

EXPORT Result cuStreamSynchronize(Stream stream) {
  ENTER_RELEASE(cuStreamSynchronize) // an error of it leaves nothing running
  if (!m.has(m.streams, streamOf(stream)))
    return m.misused("wait for an unknown stream", InvalidHandle);
  Result result = m.sync(streamOf(stream), streamOf(stream)->queue.size());
  return failed ? failed : result;
}

EXPORT Result cuStreamDestroy_v2(Stream stream) {
  ENTER_RELEASE(cuStreamDestroy_v2)
  return destroy(m, m.streams, stream, failed, "stream");
}

EXPORT Result cuEventCreate(Event *event, uint32_t flags) {
  ENTER(cuEventCreate, true)
  if (flags & ~uint32_t(EventDisableTiming))
    return m.misused("cuEventCreate: flags");
  auto *one = new FakeEvent;
  one->isTimed = flags != EventDisableTiming;
  return create(m.events, event, one);
}

EXPORT Result cuEventRecord(Event event, Stream stream) {
  ENTER(cuEventRecord, true)
  auto *one = reinterpret_cast<FakeEvent *>(event);
  if (!m.has(m.events, one) || !m.has(m.streams, streamOf(stream)))
    return m.misused("record of an unknown event", InvalidHandle);
  one->stream = streamOf(stream);
  one->upTo = one->stream->queue.size();
  return Success;
}

EXPORT Result cuEventSynchronize(Event event) {
  ENTER_RELEASE(cuEventSynchronize)
  auto *one = reinterpret_cast<FakeEvent *>(event);
  if (!m.has(m.events, one))
    return m.misused("wait for an unknown event", InvalidHandle);
  if (!one->stream)
    return m.misused("wait for an event that was never recorded", Success);
  Result result = m.sync(one->stream, one->upTo);
  return failed ? failed : result;
}

EXPORT Result cuEventElapsedTime(float *milliseconds, Event begin, Event end) {
  ENTER(cuEventElapsedTime, true)
  auto *from = reinterpret_cast<FakeEvent *>(begin);
  auto *to = reinterpret_cast<FakeEvent *>(end);
  if (!m.has(m.events, from) || !m.has(m.events, to) || !from->isTimed ||
      !to->isTimed || !from->stream || from->stream != to->stream)
    return m.misused("time between events that have none", InvalidHandle);
  if (to->stream->done < to->upTo || to->upTo < from->upTo)
    return m.misused("time of an event that has not happened", NotReady);
  double microseconds = 0;
  for (size_t i = from->upTo; i < to->upTo; ++i)
    microseconds += durationOf(to->stream->queue[i]);
  *milliseconds = float(microseconds * 1e-3);
  return Success;
}

EXPORT Result cuEventDestroy_v2(Event event) {
  ENTER_RELEASE(cuEventDestroy_v2)
  return destroy(m, m.events, event, failed, "event");
}

EXPORT Result cuLaunchKernel(Function function, uint32_t gridX, uint32_t gridY,
                             uint32_t gridZ, uint32_t blockX, uint32_t blockY,
                             uint32_t blockZ, uint32_t sharedBytes,
                             Stream stream, void **params, void **extra) {
  ENTER(cuLaunchKernel, true)
  KernelNodeParams p = {};
  p.function = function;
  p.gridX = gridX;
  p.gridY = gridY;
  p.gridZ = gridZ;
  p.blockX = blockX;
  p.blockY = blockY;
  p.blockZ = blockZ;
  p.sharedBytes = sharedBytes;
  p.params = params;
  p.extra = extra;
  FakeNode node;
  if (Result result = m.makeLaunch(p, node))
    return result;
  return m.push(streamOf(stream), {node});
}
