// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program opened for use: CPU checked, weights mapped, memory reserved,
// worker threads started; or, of a program for a GPU, driver and device
// checked, memory taken there and weights copied. Sequences live in numbered
// slots; a step feeds tokens to one slot or to several (prefill of a chunk,
// decode of one token, both).

#ifndef DSV4_RUNTIME_CORE_ENGINE_H
#define DSV4_RUNTIME_CORE_ENGINE_H

#include "runtime/core/device_execution.h"
#include "runtime/core/executor.h"
#include "runtime/core/host_execution.h"
#include "runtime/core/memory_plan.h"
#include "runtime/core/weights_file.h"

namespace dsv4 {

/// Below this, a default context is refused instead of being made smaller.
inline constexpr int64_t smallestContext = 4096;

struct EngineOptions {
  int64_t context = 0;   // tokens; 0: the compiled maximum, or what fits (but
                         // no fewer than smallestContext)
  int64_t sequences = 1; // slots, at most the compiled maximum
  int threads = 0;       // 0: defaultThreads(). A program for a GPU has them
                         // for verifying weights alone
  /// Whether workers stay on processors of their own. Auto: where they take
  /// all cores; with fewer, a second process could land on the same ones.
  enum Pin { Auto, On, Off } pin = Auto;
  bool verify = false; // check embedded weights against their hashes
  const char *weightsPath = nullptr; // sidecar; null: beside the executable
  const char *hiddenCpuFeatures = nullptr;
  uint64_t extraBytes = 0; // of the caller, from the same reservation
  // Of a program for a GPU: which one, by what library, and what is told while
  // weights are copied there.
  int device = 0;
  const char *driver = "libcuda.so.1";
  cuda::UploadOptions upload;
};

/// Tokens that a step adds to one slot, and of how many of the last ones logits
/// are wanted.
struct StepPart {
  int64_t slot;
  const int32_t *tokens;
  int64_t count, outputs;
};

class Engine {
public:
  /// Errors: Unsupported (CPU, driver or GPU), Mismatch (ABI), InvalidArgument
  /// (context or sequences beyond what was compiled, no such GPU), OutOfMemory,
  /// those of the weights. All that can be refused is before they are read.
  Status open(const dsv4_program &program, const EngineOptions &options);
  void close();

  int64_t context() const { return step.context; }
  int64_t sequences() const { return slots; }
  int64_t vocab() const { return root->limits.vocab; }
  int64_t maxOutputs() const { return root->limits.max_outputs; }
  int64_t maxStepTokens() const { return root->limits.max_step_tokens; }
  const dsv4_program &program() const { return *root; }
  const WeightsFile &weights() const { return file; }
  ThreadPool &workers() { return pool; }
  /// Of the CPU: a program for a GPU has no executor.
  Executor &phases() { return host.executor; }
  bool isOnDevice() const { return root->cuda != nullptr; }
  cuda::Session &session() { return device.session; }
  void *extra() const { return plan.reservation.address(plan.extra); }
  uint64_t reservedBytes() const { return plan.bytes(); }
  const MemoryPlan &memoryPlan() const { return plan; }

  /// Tokens that slot holds.
  int64_t length(int64_t slot) const { return lengths[slot]; }
  /// Empties the slot and gives its memory back: as at start, it reads as zero.
  /// Fails on a GPU alone, as all here that has to ask it.
  Status reset(int64_t slot);

  /// Feeds `count` <= maxStepTokens() tokens; logits of the last `outputs` <=
  /// maxOutputs() of them are then in logits(). InvalidArgument: a token id
  /// beyond the vocabulary, or the context is full.
  Status feed(int64_t slot, const int32_t *tokens, int64_t count,
              int64_t outputs, PhaseSample *samples = nullptr);
  /// One step for several slots, which share each reading of weights. Parts are
  /// in ascending order of slots; counts and outputs together are within the
  /// limits above; rows of logits() in the order of parts. The logits are those
  /// of feeding each part alone, bit for bit. Nothing changes on an error.
  Status feed(const StepPart *parts, int64_t numParts,
              PhaseSample *samples = nullptr);
  /// feed() of any number of tokens, logits of the last one alone.
  Status prefill(int64_t slot, const int32_t *tokens, int64_t count);

  /// Where the time of such a step goes on the GPU. The step runs many times
  /// and adds no length; what the slots hold is then of no text: reset them.
  Status profile(const StepPart *parts, int64_t numParts, int repeats,
                 StepProfile &profile);

  /// Tokens that a slot must hold for repeatTo(): 16 entries of every ratio.
  static constexpr int64_t leastRepeated = 16 * DSV4_CONTEXT_BLOCK;
  /// Makes a slot `length` tokens long by repeating the compressed entries that
  /// it holds. What it then holds is of no text: for measuring the speed of a
  /// context whose prefill would take hours. InvalidArgument: not whole blocks
  /// of DSV4_CONTEXT_BLOCK tokens, too few tokens, or a longer context.
  Status repeatTo(int64_t slot, int64_t length);

  /// Row `i` of the last feed(): F32 [vocab].
  const float *logits(int64_t i) const;

  /// Bytes of a snapshot of one slot.
  uint64_t snapshotBytes() const;
  Status save(int64_t slot, void *to);
  /// Corrupt or Mismatch: not a snapshot of this program and context.
  Status restore(int64_t slot, const void *from, uint64_t bytes);

private:
  enum Column { Token, Position, Sequence, FirstRow, EndRow, OutputRow };
  static_assert(OutputRow + 1 == numStepColumns);
  int32_t *column(Column c) const { return rows + int64_t(c) * columnRows; }
  Status checkOptions(const EngineOptions &options);
  Status checkPart(const StepPart &part) const;
  Status checkParts(const StepPart *parts, int64_t numParts) const;
  void addPart(const StepPart &part);
  Status addParts(const StepPart *parts, int64_t numParts);
  Status openWeights(const EngineOptions &options);
  Status verifyWeights();
  MemoryPlan makePlan(const EngineOptions &options, int64_t tokens) const;
  Status checkMemory(const MemoryPlan &plan) const;
  Status planFor(const EngineOptions &options, int64_t tokens);
  Status chooseContext(const EngineOptions &options);
  Status connect(const EngineOptions &options);
  Status start(const EngineOptions &options);

  // By way of the one that has the state.
  Status run(PhaseSample *samples);
  Status clearState(int64_t slot);
  Status saveState(int64_t slot, void *to);
  Status restoreState(int64_t slot, const void *from);
  Status repeatState(int64_t slot, int64_t operand, int64_t period,
                     int64_t bytes);

  const dsv4_program *root = nullptr;
  WeightsFile file;
  ThreadPool pool;
  HostExecution host;     // open, or
  DeviceExecution device; // this one
  MemoryPlan plan;
  dsv4_step step = {};
  int64_t slots = 1;
  int workerCount = 1;
  int64_t *lengths = nullptr;
  int32_t *rows = nullptr; // [numStepColumns][columnRows]
  int64_t columnRows = 0;
};

} // namespace dsv4

#endif // DSV4_RUNTIME_CORE_ENGINE_H
