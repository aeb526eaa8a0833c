// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The entry points of the fake driver that build and launch graphs.

#include "FakeEntry.h"

using namespace fakecuda;

EXPORT Result cuGraphCreate(GraphHandle *graph, uint32_t) {
  ENTER(cuGraphCreate, true)
  return create(m.graphs, graph, new FakeGraph);
}

namespace {

Result addNode(Machine &m, GraphHandle graph, GraphNode *handle,
               const FakeNode &node) {
  if (!m.has(m.graphs, graphOf(graph)))
    return m.misused("a node for an unknown graph", InvalidHandle);
  auto &nodes = graphOf(graph)->nodes;
  nodes.push_back(std::make_unique<FakeNode>(node));
  *handle = reinterpret_cast<GraphNode>(nodes.back().get());
  return Success;
}

/// One end of a copy of one dimension, as the device sees it; 0: wrong.
Address endOf(Machine &m, const CopyEnd &end, size_t bytes) {
  if (end.xInBytes || end.y || end.z || end.lod || end.array || end.reserved)
    return 0;
  if (end.type == HostMemory)
    return m.addressOf(end.host, bytes);
  return end.type == DeviceMemoryType && m.find(end.device, bytes, "copy node")
             ? end.device
             : 0;
}

} // namespace

EXPORT Result cuGraphAddKernelNode_v2(GraphNode *handle, GraphHandle graph,
                                      const GraphNode *, size_t count,
                                      const KernelNodeParams *p) {
  ENTER(cuGraphAddKernelNode_v2, true)
  FakeNode node;
  if (count)
    return m.misused("kernel node: arguments");
  if (Result result = m.makeLaunch(*p, node))
    return result;
  return addNode(m, graph, handle, node);
}

EXPORT Result cuGraphAddMemcpyNode(GraphNode *handle, GraphHandle graph,
                                   const GraphNode *, size_t count,
                                   const CopyParams *p, Context context) {
  ENTER(cuGraphAddMemcpyNode, true)
  size_t bytes = p->widthInBytes;
  if (count || !context || p->height != 1 || p->depth != 1 || bytes == 0)
    return m.misused("copy node: arguments");
  FakeNode node{"copy"};
  node.from = endOf(m, p->from, bytes);
  node.to = endOf(m, p->to, bytes);
  node.bytes = bytes;
  if (!node.from || !node.to)
    return m.misused("copy node: an end that is not there");
  return addNode(m, graph, handle, node);
}

#ifndef FAKE_CUDA_OLD
namespace {

/// Number of a node in its graph; the number of nodes: not there.
size_t numberOf(const FakeGraph &graph, GraphNode handle) {
  size_t i = 0;
  while (i < graph.nodes.size() &&
         reinterpret_cast<GraphNode>(graph.nodes[i].get()) != handle)
    ++i;
  return i;
}

Result addEdge(Machine &m, FakeGraph &graph, GraphNode from, GraphNode to,
               const EdgeData &data) {
  FakeEdge edge{numberOf(graph, from), numberOf(graph, to),
                data.type == EdgeProgrammatic};
  if (edge.from == graph.nodes.size() || edge.to == graph.nodes.size())
    return m.misused("an edge of an unknown node");
  if (data.toPort || data.type > EdgeProgrammatic ||
      (data.fromPort == PortProgrammatic) != edge.isProgrammatic)
    return m.misused("an edge of an unknown kind");
  if (edge.isProgrammatic && m.set.capability < 90)
    return m.misused("a programmatic edge before sm_90", NotSupported);
  for (uint8_t byte : data.reserved)
    if (byte)
      return m.misused("an edge with reserved bytes set");
  if (edge.isProgrammatic &&
      (!graph.nodes[edge.from]->function || !graph.nodes[edge.to]->function))
    return m.misused("a programmatic edge of something that is no kernel");
  for (const FakeEdge &other : graph.edges)
    if (other.from == edge.from && other.to == edge.to)
      return m.misused("an edge that is there already");
  graph.edges.push_back(edge);
  return Success;
}

} // namespace

EXPORT Result cuGraphAddDependencies_v2(GraphHandle graph,
                                        const GraphNode *from,
                                        const GraphNode *to,
                                        const EdgeData *data, size_t count) {
  ENTER(cuGraphAddDependencies_v2, true)
  if (!m.has(m.graphs, graphOf(graph)))
    return m.misused("edges for an unknown graph", InvalidHandle);
  for (size_t i = 0; i < count; ++i)
    if (Result result = addEdge(m, *graphOf(graph), from[i], to[i], data[i]))
      return result;
  return Success;
}
#endif // FAKE_CUDA_OLD

namespace {

bool hasCycle(const FakeGraph &graph) {
  std::vector<size_t> needs(graph.nodes.size());
  for (const FakeEdge &edge : graph.edges)
    ++needs[edge.to];
  std::vector<size_t> ready;
  for (size_t i = 0; i < needs.size(); ++i)
    if (!needs[i])
      ready.push_back(i);
  size_t done = 0;
  for (; done < ready.size(); ++done)
    for (const FakeEdge &edge : graph.edges)
      if (edge.from == ready[done] && --needs[edge.to] == 0)
        ready.push_back(edge.to);
  return done < needs.size();
}

} // namespace

EXPORT Result cuGraphInstantiateWithFlags(GraphExec *exec, GraphHandle graph,
                                          unsigned long long flags) {
  ENTER(cuGraphInstantiateWithFlags, true)
  if (!m.has(m.graphs, graphOf(graph)) || flags)
    return m.misused("instance of an unknown graph", InvalidHandle);
  if (hasCycle(*graphOf(graph)))
    return m.misused("a cycle in a graph");
  auto *one = new FakeExec;
  for (const auto &node : graphOf(graph)->nodes)
    one->nodes.push_back(*node);
  one->edges = graphOf(graph)->edges;
  return create(m.execs, exec, one);
}

EXPORT Result cuGraphUpload(GraphExec exec, Stream stream) {
  ENTER(cuGraphUpload, true)
  if (!m.has(m.execs, reinterpret_cast<FakeExec *>(exec)) ||
      !m.has(m.streams, streamOf(stream)))
    return m.misused("upload of an unknown graph", InvalidHandle);
  return Success;
}

EXPORT Result cuGraphLaunch(GraphExec exec, Stream stream) {
  ENTER(cuGraphLaunch, true)
  auto *one = reinterpret_cast<FakeExec *>(exec);
  if (!m.has(m.execs, one))
    return m.misused("launch of an unknown graph", InvalidHandle);
  return m.push(streamOf(stream), {{}, one});
}

EXPORT Result cuGraphExecDestroy(GraphExec exec) {
  ENTER_RELEASE(cuGraphExecDestroy)
  auto *one = reinterpret_cast<FakeExec *>(exec);
  for (FakeStream *stream : m.streams)
    for (size_t i = stream->queue.size(); i-- > stream->done;)
      if (stream->queue[i].exec == one) {
        m.misused("end of a graph that is on its way");
        stream->queue.erase(stream->queue.begin() + long(i));
      }
  return destroy(m, m.execs, exec, failed, "graph instance");
}

EXPORT Result cuGraphDestroy(GraphHandle graph) {
  ENTER_RELEASE(cuGraphDestroy)
  return destroy(m, m.graphs, graph, failed, "graph");
}
