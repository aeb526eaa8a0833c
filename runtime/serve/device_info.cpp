// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See device_info.h.

#include "runtime/serve/device_info.h"

#include "runtime/device/device_plan.h"
#include "runtime/device/program_check.h"

#include <stdio.h>

namespace dsv4::serve {

namespace {

constexpr const char *tiers[] = {"device", "pinned", "mapped"};
constexpr const char *kinds[] = {"weights", "state", "buffers", "workspace",
                                 "step"};

const char *kindOf(const dsv4_cuda_image &image) {
  return image.kind == DSV4_CUDA_PTX ? "PTX" : "cubin";
}

/// What a graph is made of.
struct GraphCounts {
  int64_t launches = 0, copies = 0, programmatic = 0;

  GraphCounts(const dsv4_cuda_program &p, const dsv4_cuda_graph &graph) {
    for (int64_t i = 0; i < graph.num_nodes; ++i)
      ++(p.nodes[graph.first_node + i].kernel >= 0 ? launches : copies);
    for (int64_t i = 0; i < graph.num_edges; ++i)
      programmatic +=
          p.edges[graph.first_edge + i].kind == DSV4_CUDA_PROGRAMMATIC;
  }
};

Status planOf(const dsv4_cuda_program &program, int64_t context,
              cuda::DevicePlan &plan) {
  DSV4_RETURN_IF_ERROR(cuda::checkProgram(program));
  return cuda::planDevice(program, context, 1, plan);
}

void printPartsText(const dsv4_cuda_program &p, const cuda::DevicePlan &plan) {
  printf("memory           %llu bytes of the GPU with 1 sequence and %lld for "
         "the driver; on the host %llu pinned, %llu of the file mapped\n",
         (unsigned long long)plan.deviceBytes, (long long)p.driver_bytes,
         (unsigned long long)plan.pinnedBytes,
         (unsigned long long)plan.mappedBytes);
  for (int64_t i = 0; i < p.num_parts; ++i)
    printf("  %-14s %llu bytes, %s, %s\n", p.parts[i].name,
           (unsigned long long)plan.parts[i].bytes, tiers[p.parts[i].tier],
           kinds[p.parts[i].kind]);
}

void printKernelsText(const dsv4_cuda_program &p) {
  printf("kernels          %lld\n", (long long)p.num_kernels);
  for (int64_t i = 0; i < p.num_kernels; ++i) {
    const dsv4_cuda_kernel &k = p.kernels[i];
    printf("  %-30s %4d threads, %3d registers, %d bytes of local memory, %d "
           "of dynamic shared memory\n",
           k.name, k.threads, k.max_registers, k.max_local_bytes,
           k.dynamic_shared_bytes);
  }
}

void printGraphsText(const dsv4_cuda_program &p) {
  for (int64_t i = 0; i < p.num_graphs; ++i) {
    const dsv4_cuda_graph &graph = p.graphs[i];
    GraphCounts n(p, graph);
    printf("graph            %s: steps of up to %lld tokens with %lld logits "
           "rows, %lld launches, %lld copies, %lld edges (%lld of them "
           "programmatic)\n",
           graph.name, (long long)graph.tokens, (long long)graph.outputs,
           (long long)n.launches, (long long)n.copies,
           (long long)graph.num_edges, (long long)n.programmatic);
  }
}

void printImagesJson(const dsv4_cuda_program &p) {
  fputs("\"images\":[", stdout);
  for (int64_t i = 0; i < p.num_images; ++i) {
    const dsv4_cuda_image &image = p.images[i];
    char arch[16];
    printf("%s{\"kind\":\"%s\",\"arch\":\"%s\",\"bytes\":%lld,"
           "\"required_driver\":%d}",
           i ? "," : "", kindOf(image), cuda::formatArch(image, arch),
           (long long)image.data.size, image.required_driver);
  }
  fputs("],", stdout);
}

void printKernelsJson(const dsv4_cuda_program &p) {
  fputs("\"kernels\":[", stdout);
  for (int64_t i = 0; i < p.num_kernels; ++i) {
    const dsv4_cuda_kernel &k = p.kernels[i];
    printf("%s{\"name\":\"%s\",\"threads\":%d,\"registers\":%d,"
           "\"local_bytes\":%d,\"dynamic_shared_bytes\":%d,"
           "\"params_bytes\":%d}",
           i ? "," : "", k.name, k.threads, k.max_registers, k.max_local_bytes,
           k.dynamic_shared_bytes, k.params_bytes);
  }
  fputs("],", stdout);
}

void printPartsJson(const dsv4_cuda_program &p, const cuda::DevicePlan &plan) {
  printf("\"plan\":{\"sequences\":1,\"device_bytes\":%llu,"
         "\"driver_bytes\":%lld,\"pinned_bytes\":%llu,\"mapped_bytes\":%llu},"
         "\"parts\":[",
         (unsigned long long)plan.deviceBytes, (long long)p.driver_bytes,
         (unsigned long long)plan.pinnedBytes,
         (unsigned long long)plan.mappedBytes);
  for (int64_t i = 0; i < p.num_parts; ++i)
    printf("%s{\"name\":\"%s\",\"tier\":\"%s\",\"kind\":\"%s\",\"bytes\":%llu}",
           i ? "," : "", p.parts[i].name, tiers[p.parts[i].tier],
           kinds[p.parts[i].kind], (unsigned long long)plan.parts[i].bytes);
  fputs("],", stdout);
}

void printGraphsJson(const dsv4_cuda_program &p) {
  fputs("\"graphs\":[", stdout);
  for (int64_t i = 0; i < p.num_graphs; ++i) {
    const dsv4_cuda_graph &graph = p.graphs[i];
    GraphCounts n(p, graph);
    printf("%s{\"name\":\"%s\",\"tokens\":%lld,\"outputs\":%lld,"
           "\"launches\":%lld,\"copies\":%lld,\"edges\":%lld,"
           "\"programmatic_edges\":%lld}",
           i ? "," : "", graph.name, (long long)graph.tokens,
           (long long)graph.outputs, (long long)n.launches, (long long)n.copies,
           (long long)graph.num_edges, (long long)n.programmatic);
  }
  fputs("]", stdout);
}

} // namespace

Status printDeviceText(const dsv4_cuda_program &p, int64_t context) {
  cuda::DevicePlan plan;
  DSV4_RETURN_IF_ERROR(planOf(p, context, plan));
  printf("GPU              %s, grids for %d multiprocessors%s\n", p.target,
         p.multiprocessors, p.multiprocessors ? "" : " (any number)");
  for (int64_t i = 0; i < p.num_images; ++i) {
    const dsv4_cuda_image &image = p.images[i];
    char arch[16], version[16];
    printf("image            %s for %s, %lld bytes, driver of CUDA %s or "
           "newer\n",
           kindOf(image), cuda::formatArch(image, arch),
           (long long)image.data.size,
           cuda::formatVersion(image.required_driver, version));
  }
  printPartsText(p, plan);
  printGraphsText(p);
  printKernelsText(p);
  return okStatus();
}

Status printDeviceJson(const dsv4_cuda_program &p, int64_t context) {
  cuda::DevicePlan plan;
  DSV4_RETURN_IF_ERROR(planOf(p, context, plan));
  printf("\"cuda\":{\"target\":\"%s\",\"multiprocessors\":%d,", p.target,
         p.multiprocessors);
  printImagesJson(p);
  printKernelsJson(p);
  printPartsJson(p, plan);
  printGraphsJson(p);
  fputs("}", stdout);
  return okStatus();
}

} // namespace dsv4::serve
