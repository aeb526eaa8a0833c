// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See FakeCudaProgram.h. Compiled into an executable of its own, so it keeps to
// what a generated object may use: no C++ library.

#include "FakeCudaProgram.h"

#include "FakeProgram.h"

namespace fake {
namespace {

constexpr char code[] = "fake-cubin 90 1 13000\n"
                        "kernel store 32 0 0 1024 32\n"
                        "kernel dispatch 24 0 0 1024 32\n"
                        "kernel experts 40 0 0 1024 32\n"
                        "kernel reduce 48 0 1024 512 32\n"
                        "kernel head 64 8 0 1024 32\n";

const dsv4_cuda_image images[] = {
    {DSV4_CUDA_CUBIN, 90, 1, 13000, {code, sizeof(code) - 1}}};

const dsv4_cuda_kernel kernels[] = {
    {"store", 128, 0, 32, 0, sizeof(CudaParams), 0},
    {"dispatch", 256, 0, 24, 0, sizeof(CudaParams), 0},
    {"experts", 256, 0, 40, 0, sizeof(CudaParams), 0},
    {"reduce", 384, 100000, 48, 0, sizeof(CudaParams), 0},
    {"head", 512, 0, 64, 8, sizeof(CudaParams), 0}};

constexpr int64_t stepBytes =
    DSV4_CUDA_STEP_HEADER + DSV4_CUDA_STEP_COLUMNS * 4 * maxStepTokens;
constexpr int64_t logitsBytes = maxOutputs * vocab * 4;

const dsv4_cuda_part parts[] = {
    {"weights", DSV4_CUDA_WEIGHTS, DSV4_CUDA_DEVICE, {cudaWeightBytes, 0}},
    {"state", DSV4_CUDA_STATE, DSV4_CUDA_DEVICE, {64, 512}},
    {"buffers",
     DSV4_CUDA_BUFFERS,
     DSV4_CUDA_DEVICE,
     {cudaLogitsAt + logitsBytes, 0}},
    {"workspace", DSV4_CUDA_WORKSPACE, DSV4_CUDA_DEVICE, {256, 0}},
    {"step", DSV4_CUDA_STEP, DSV4_CUDA_DEVICE, {stepBytes, 0}},
    {"step of the host", DSV4_CUDA_STEP, DSV4_CUDA_PINNED, {stepBytes, 0}},
    {"logits of the host", DSV4_CUDA_STEP, DSV4_CUDA_PINNED, {logitsBytes, 0}}};

// In two pieces, so that progress has something to say.
const dsv4_cuda_segment segments[] = {
    {0, 6000, 0, 0, 0}, {6000, cudaWeightBytes - 6000, 0, 0, 6000}};

const dsv4_cuda_operand operands[] = {
    {DSV4_CUDA_PART_STEP, 0, {0, 0}}, // 0: of every kernel
    {DSV4_CUDA_PART_STATE, 8, {0, 0}},
    {DSV4_CUDA_PART_WEIGHTS, 16, {0, 0}},
    {DSV4_CUDA_PART_BUFFERS, 24, {0, 0}},
    {DSV4_CUDA_PART_HOST_STEP, 0, {0, 0}}, // 4: of the first copy
    {DSV4_CUDA_PART_STEP, 0, {0, 0}},
    {DSV4_CUDA_PART_BUFFERS, 0, {cudaLogitsAt, 0}}, // 6: of the last one
    {DSV4_CUDA_PART_HOST_LOGITS, 0, {0, 0}}};

const CudaParams none = {};
constexpr dsv4_cuda_count one = {1, 0, 0, 0, 1};

constexpr dsv4_cuda_node launch(const char *name, int32_t kernel,
                                dsv4_cuda_count grid) {
  return {name, kernel, 0, 0, 4, &none, grid, one};
}
const dsv4_cuda_node nodes[] = {
    {"step", DSV4_CUDA_COPY, 0, 4, 2, nullptr, {stepBytes, 0, 0, 0, 1}, one},
    launch("store", 0, {0, 1, 0, 0, 1}),
    launch("dispatch", 1, one),
    launch("experts", 2, {0, 2, 0, 0, 1}),
    launch("reduce", 3, {0, 1, 0, 0, 1}),
    launch("head", 4, {0, 0, 3, 0, 1}),
    {"logits", DSV4_CUDA_COPY, 0, 6, 2, nullptr, {0, 0, vocab * 4, 0, 1}, one}};
constexpr int64_t numNodes = sizeof(nodes) / sizeof(*nodes);

const dsv4_cuda_edge edges[] = {
    {0, 1, DSV4_CUDA_FULL},         {1, 2, DSV4_CUDA_PROGRAMMATIC},
    {2, 3, DSV4_CUDA_PROGRAMMATIC}, {3, 4, DSV4_CUDA_PROGRAMMATIC},
    {4, 5, DSV4_CUDA_PROGRAMMATIC}, {5, 6, DSV4_CUDA_FULL}};

constexpr dsv4_cuda_graph graph(const char *name, int64_t tokens) {
  return {name, tokens, tokens, 0, numNodes, 0, numNodes - 1};
}
const dsv4_cuda_graph graphs[] = {graph("decode 1", 1), graph("decode 8", 8),
                                  graph("prefill 32", maxStepTokens)};

template <typename T, int64_t N> constexpr int64_t count(const T (&)[N]) {
  return N;
}

} // namespace

const dsv4_cuda_program cudaProgram = {
    DSV4_CUDA_MAGIC, DSV4_CUDA_ABI_VERSION, 132,      "cuda:sm_90a",
    1 << 20,         cudaWeightBytes,       images,   count(images),
    kernels,         count(kernels),        parts,    count(parts),
    segments,        count(segments),       operands, count(operands),
    nodes,           count(nodes),          edges,    count(edges),
    graphs,          count(graphs)};

dsv4_program onDevice(dsv4_program program, const dsv4_cuda_program &cuda) {
  program.target = "cuda:sm_90a";
  program.limits.weight_bytes = cudaWeightBytes;
  program.weights_mode = 1;
  program.cuda = &cuda;
  return program;
}

} // namespace fake
