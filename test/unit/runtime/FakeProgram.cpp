// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See FakeProgram.h. Compiled into the unit tests and into an executable of its
// own, so it keeps to what a generated object may use: no C++ library.

#include "FakeProgram.h"

#ifdef FAKE_CUDA // the executable's root is for a GPU
#include "FakeCudaProgram.h"
#endif

namespace fake {
namespace {

constexpr int64_t stateFixed = 64;

// Step buffers, as a planner would place them (bytes).
constexpr int64_t sumsAt = 0;      // i64 [maxStepTokens]
constexpr int64_t countAt = 512;   // i32 "active experts"
constexpr int64_t hitsAt = 576;    // i32 [64], by expert
constexpr int64_t scoresAt = 1024; // i32 [tokens][context / 32]
constexpr int64_t scoresPerBlock = maxStepTokens * 4 * 4;
constexpr int64_t logitsAt = 8192; // f32 [maxOutputs][vocab], behind the scores
constexpr int64_t logitsPerBlock = scoresPerBlock;

int32_t *history(const dsv4_step *step, void *state, int64_t token) {
  char *slot =
      static_cast<char *>(state) + step->sequence[token] * step->state_stride;
  return reinterpret_cast<int32_t *>(slot + stateFixed);
}

void store(const dsv4_step *step, void *const *operands, int64_t begin,
           int64_t end, void *) {
  for (int64_t t = begin; t < end; ++t)
    history(step, operands[0], t)[step->position[t]] = step->token[t];
}

// One item: says how many experts are active and clears their counters.
void dispatch(const dsv4_step *step, void *const *operands, int64_t, int64_t,
              void *) {
  *static_cast<int32_t *>(operands[0]) =
      static_cast<int32_t>(step->max_position % 5) + 1;
  for (int i = 0; i < 64; ++i)
    static_cast<int32_t *>(operands[1])[i] = 0;
}

// Every (expert, tile) item is computed exactly once.
void experts(const dsv4_step *, void *const *operands, int64_t begin,
             int64_t end, void *) {
  for (int64_t i = begin; i < end; ++i)
    __atomic_add_fetch(&static_cast<int32_t *>(operands[1])[i], 1,
                       __ATOMIC_RELAXED);
}

// Blocks of 32 entries per token: their sum goes to scores[token][block].
void score(const dsv4_step *step, void *const *operands, int64_t begin,
           int64_t end, void *) {
  int64_t blocks = (step->max_position + 1 + 31) / 32;
  auto *scores = static_cast<int32_t *>(operands[1]);
  for (int64_t i = begin; i < end; ++i) {
    int64_t token = i / blocks, block = i % blocks;
    const int32_t *h = history(step, operands[0], token);
    int32_t sum = 0;
    for (int64_t p = block * 32; p < block * 32 + 32; ++p)
      if (p <= step->position[token])
        sum += h[p] * static_cast<int32_t>(p + 1);
    scores[token * (step->context / 32) + block] = sum;
  }
}

// Adds the blocks up, by way of the worker's scratch.
void reduce(const dsv4_step *step, void *const *operands, int64_t begin,
            int64_t end, void *scratch) {
  int64_t blocks = (step->max_position + 1 + 31) / 32;
  const auto *scores = static_cast<const int32_t *>(operands[0]);
  auto *own = static_cast<int64_t *>(scratch);
  for (int64_t t = begin; t < end; ++t) {
    *own = 0;
    for (int64_t b = 0; b < blocks; ++b)
      *own += scores[t * (step->context / 32) + b];
    static_cast<int64_t *>(operands[1])[t] = *own;
  }
}

// Items: output rows x 3 tiles of 16. A worker that does not flush denormals,
// or an expert item that ran twice or never, spoils the result.
void head(const dsv4_step *step, void *const *operands, int64_t begin,
          int64_t end, void *) {
  const auto *factors = static_cast<const int32_t *>(operands[1]);
  const auto *hits = static_cast<const int32_t *>(operands[2]);
  volatile float tiny = 1e-38f;
  float wrong = tiny * 0.01f != 0.0f ? 1000.0f : 0.0f;
  for (int i = 0; i < 2 * (step->max_position % 5 + 1); ++i)
    wrong += hits[i] == 1 ? 0.0f : 500.0f;
  for (int64_t i = begin; i < end; ++i) {
    int64_t o = i / 3, tile = i % 3;
    int64_t sum =
        static_cast<const int64_t *>(operands[0])[step->output_row[o]];
    for (int64_t v = tile * 16; v < tile * 16 + 16; ++v)
      static_cast<float *>(operands[3])[o * vocab + v] =
          static_cast<float>((sum + v * factors[v % 4]) % 97) * 0.25f + wrong;
  }
}

const int32_t factors[4] = {7, 11, 13, 5};
const void *const constants[] = {factors};

constexpr dsv4_operand state = {DSV4_SPACE_STATE, 0, {0, 0}};
constexpr dsv4_operand buffer(int64_t fixed, int64_t perBlock = 0) {
  return {DSV4_SPACE_BUFFER, 0, {fixed, perBlock}};
}
const dsv4_operand operands[] = {
    state, // 0 store
    buffer(countAt),
    buffer(hitsAt), // 1 dispatch
    buffer(countAt),
    buffer(hitsAt), // 3 experts
    state,
    buffer(scoresAt), // 5 score
    buffer(scoresAt),
    buffer(sumsAt), // 7 reduce
    buffer(sumsAt),
    {DSV4_SPACE_CONST, 0, {0, 0}},
    buffer(hitsAt),
    buffer(logitsAt, logitsPerBlock), // 9 head
};

constexpr dsv4_phase phase(dsv4_kernel kernel, const char *name, int32_t first,
                           int32_t count, int32_t rule, int64_t factor,
                           int32_t grain) {
  return {kernel, name, "fake", first, count, rule, 0, factor, 1, 32, grain, 0};
}
const dsv4_phase phases[] = {
    phase(store, "store", 0, 1, DSV4_ITEMS_TOKENS, 1, 3),
    phase(dispatch, "dispatch", 1, 2, DSV4_ITEMS_ONE, 1, 1),
    phase(experts, "experts", 3, 2, DSV4_ITEMS_ACTIVE_EXPERTS, 2, 1),
    phase(score, "score", 5, 2, DSV4_ITEMS_ENTRIES, 1, 2),
    phase(reduce, "reduce", 7, 2, DSV4_ITEMS_TOKENS, 1, 1),
    phase(head, "head", 9, 4, DSV4_ITEMS_OUTPUTS, 3, 1),
};

/// Of samples/expected.json as the compiler writes it: one that the program
/// gives, one with another token than it gives, and two that are not its own.
/// No zero behind it, as in an object.
constexpr char answers[] =
    R"({"samples":[{"margins":[0.75,0,0.25,0.25],"name":"right",)"
    R"("output_ids":[25,6,26,40],"prompt_ids":[1,2,3]},)"
    R"({"margins":[0.75],"name":"wrong","output_ids":[24],)"
    R"("prompt_ids":[1,2,3]},)"
    R"({"margins":[0.75],"name":"beyond","output_ids":[1000000000],)"
    R"("prompt_ids":[1,2,3]},)"
    R"({"margins":[0.75],"name":"huge","output_ids":[1e300],)"
    R"("prompt_ids":[1,2,3]}]})";

#ifdef FAKE_CUDA
constexpr const char *target = "cuda:sm_90a";
constexpr int64_t weightBytes = cudaWeightBytes;
constexpr int32_t weightsMode = 1;
#else
constexpr const char *target = "cpu:fake";
constexpr int64_t weightBytes = 0;
constexpr int32_t weightsMode = 0;
#endif

} // namespace

float expectedLogit(const int32_t *tokens, int64_t count, int64_t entry) {
  int64_t sum = 0;
  for (int64_t p = 0; p < count; ++p)
    sum += int64_t{tokens[p]} * (p + 1);
  return static_cast<float>((sum + entry * factors[entry % 4]) % 97) * 0.25f;
}

} // namespace fake

extern "C" const dsv4_program dsv4_program_root = {
    DSV4_PROGRAM_MAGIC,
    DSV4_ABI_VERSION,
    0,
    fake::target,
    "fake model for tests",
    "{}",
    "",
    {fake::maxContext,
     2,
     fake::maxStepTokens,
     fake::maxOutputs,
     fake::vocab,
     {fake::logitsAt + fake::maxOutputs * fake::vocab * 4,
      fake::scoresPerBlock},
     {fake::stateFixed, DSV4_CONTEXT_BLOCK * 4},
     {64, 0},
     fake::weightBytes,
     1},
    fake::phases,
    6,
    fake::operands,
    13,
    fake::constants,
    1,
    nullptr,
    0,
    12,
    fake::weightsMode,
    {nullptr, 0},
    {fake::answers, sizeof(fake::answers) - 1},
    {1, 2, 3},
    0,
    1,
    1.0f,
    1.0f,
    nullptr,
    0,
    nullptr,
    0,
    0,
    0,
#ifdef FAKE_CUDA
    &fake::cudaProgram,
#else
    nullptr,
#endif
};

const dsv4_program &fake::program() { return dsv4_program_root; }
