// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CUDA half of a program: what the compiler emits beside dsv4_program for
// an NVIDIA GPU, and runtime/device walks. Plain structs that depend on
// program.h alone. A change of any layout here raises DSV4_CUDA_ABI_VERSION.
//
// A program has images (one cubin for each architecture, PTX for newer ones),
// kernels in them, parts of memory in tiers, and graphs: nodes with edges,
// built once at start for the largest step that each takes. What differs from
// step to step is data in the step part, which a graph's first node copies.

#ifndef DSV4_RUNTIME_ABI_CUDA_PROGRAM_H
#define DSV4_RUNTIME_ABI_CUDA_PROGRAM_H

#include "runtime/abi/program.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DSV4_CUDA_ABI_VERSION 1u
#define DSV4_CUDA_MAGIC 0x6164756334767364ull // "dsv4cuda"

// Limits of a program; the runtime has fixed room for as many.
#define DSV4_CUDA_MAX_PARTS 16
#define DSV4_CUDA_MAX_GRAPHS 8
#define DSV4_CUDA_MAX_PARAMS 4096 // bytes, of the driver for every GPU
#define DSV4_CUDA_PART_ALIGN 256  // of parts and of one sequence's state

/// ceil((fixed + per_token * tokens + per_output * outputs +
///       per_block * context blocks) / divisor), at least 1.
typedef struct dsv4_cuda_count {
  int64_t fixed;
  int64_t per_token;
  int64_t per_output;
  int64_t per_block;
  int64_t divisor; // 1 or more
} dsv4_cuda_count;

enum dsv4_cuda_image_kind {
  DSV4_CUDA_CUBIN = 0,
  DSV4_CUDA_PTX = 1, // ends with a zero byte that `data.size` counts
};

/// Code for one architecture. The runtime takes the first that fits.
typedef struct dsv4_cuda_image {
  int32_t kind;            // enum dsv4_cuda_image_kind
  int32_t arch;            // 90: compute capability 9.0
  int32_t is_specific;     // sm_90a: this compute capability and no other
  int32_t required_driver; // as the driver counts: 13000 is CUDA 13.0
  dsv4_blob data;
} dsv4_cuda_image;

/// A kernel takes one struct by value. Every image has every kernel.
typedef struct dsv4_cuda_kernel {
  const char *name; // symbol in the image
  int32_t threads;  // of a block
  int32_t dynamic_shared_bytes;
  int32_t max_registers;   // of a thread, from the compiler's gate for cubins
  int32_t max_local_bytes; // of a thread; the same
  int32_t params_bytes;    // at most DSV4_CUDA_MAX_PARAMS
  int32_t reserved;
} dsv4_cuda_kernel;

enum dsv4_cuda_part_kind {
  DSV4_CUDA_WEIGHTS = 0,
  DSV4_CUDA_STATE = 1,     // `bytes` of one sequence
  DSV4_CUDA_BUFFERS = 2,   // of a step, planned by lifetime
  DSV4_CUDA_WORKSPACE = 3, // partial sums, counters
  DSV4_CUDA_STEP = 4,      // what differs from step to step, and results
};
#define DSV4_CUDA_NUM_PART_KINDS 5

enum dsv4_cuda_tier {
  DSV4_CUDA_DEVICE = 0, // memory of the GPU
  DSV4_CUDA_PINNED = 1, // host memory that the GPU reads and writes
  DSV4_CUDA_MAPPED = 2, // the mapped weights themselves; read by the GPU
};

/// The parts that every program has, in this order, so that the engine finds
/// them; optional ones (demoted weights) come behind.
enum dsv4_cuda_program_part {
  DSV4_CUDA_PART_WEIGHTS = 0,     // device
  DSV4_CUDA_PART_STATE = 1,       // device; kern's state of one sequence
  DSV4_CUDA_PART_BUFFERS = 2,     // device; kern's buffer arena
  DSV4_CUDA_PART_WORKSPACE = 3,   // device; partial sums, encodings, splits
  DSV4_CUDA_PART_STEP = 4,        // device; dsv4_step and its columns
  DSV4_CUDA_PART_HOST_STEP = 5,   // pinned; the host writes it, a graph's first
                                  // node copies it to STEP
  DSV4_CUDA_PART_HOST_LOGITS = 6, // pinned; f32 [outputs, vocab], which a
                                  // graph's last node copies
};
#define DSV4_CUDA_NUM_PROGRAM_PARTS 7

typedef struct dsv4_cuda_part {
  const char *name; // "weights", "cold experts", for messages and info
  int32_t kind;     // enum dsv4_cuda_part_kind
  int32_t tier;     // enum dsv4_cuda_tier
  dsv4_affine bytes;
} dsv4_cuda_part;

/// A range of the packed weights and where it goes. A part of tier MAPPED has
/// exactly one, from its first byte to its last.
typedef struct dsv4_cuda_segment {
  int64_t source; // in the packed weights
  int64_t bytes;
  int32_t part;
  int32_t reserved;
  int64_t offset; // in the part
} dsv4_cuda_segment;

/// An address: in the parameter struct of a node at byte `at` (multiple of 8),
/// or an end of a copy.
typedef struct dsv4_cuda_operand {
  int32_t part;
  int32_t at;
  dsv4_affine offset; // in the part
} dsv4_cuda_operand;

/// A launch or a copy. A launch (kernel >= 0) has a grid of grid_x by grid_y
/// blocks and `params` with its operands' addresses put in. A copy (kernel
/// DSV4_CUDA_COPY) takes grid_x bytes from its first operand to its second,
/// one of them in device memory and the other pinned.
#define DSV4_CUDA_COPY (-1)
typedef struct dsv4_cuda_node {
  const char *name; // "layers.3.attn.qkv"
  int32_t kernel;   // into kernels
  int32_t reserved;
  int64_t first_operand;
  int64_t num_operands;
  const void *params; // kernel.params_bytes
  dsv4_cuda_count grid_x;
  dsv4_cuda_count grid_y;
} dsv4_cuda_node;

enum dsv4_cuda_edge_kind {
  DSV4_CUDA_FULL = 0,         // starts when `from` has ended
  DSV4_CUDA_PROGRAMMATIC = 1, // starts when `from` lets it; waits inside
};

/// Numbers of nodes within the graph; from < to, so that no cycle can be.
typedef struct dsv4_cuda_edge {
  int32_t from;
  int32_t to;
  int32_t kind; // enum dsv4_cuda_edge_kind
} dsv4_cuda_edge;

typedef struct dsv4_cuda_graph {
  const char *name; // "decode 1"
  int64_t tokens;   // rows of the largest step that it takes
  int64_t outputs;  // and their logits rows
  int64_t first_node;
  int64_t num_nodes;
  int64_t first_edge;
  int64_t num_edges;
} dsv4_cuda_graph;

typedef struct dsv4_cuda_program {
  uint64_t magic;
  uint32_t abi_version;
  int32_t multiprocessors; // that grids were made for; 0: any number
  const char *target;      // "cuda:sm_90a"
  int64_t driver_bytes;    // to leave free for code, graphs and local memory
  int64_t weight_bytes;    // of the packed weights
  const dsv4_cuda_image *images;
  int64_t num_images;
  const dsv4_cuda_kernel *kernels;
  int64_t num_kernels;
  const dsv4_cuda_part *parts;
  int64_t num_parts;
  const dsv4_cuda_segment *segments;
  int64_t num_segments;
  const dsv4_cuda_operand *operands;
  int64_t num_operands;
  const dsv4_cuda_node *nodes;
  int64_t num_nodes;
  const dsv4_cuda_edge *edges;
  int64_t num_edges;
  const dsv4_cuda_graph *graphs;
  int64_t num_graphs;
} dsv4_cuda_program;

/// The parts STEP and HOST_STEP: a dsv4_step, then its columns of int32 in the
/// order of dsv4_step, output_row last, with room for max_step_tokens rows. The
/// pointers inside are those of the copy on the GPU.
#define DSV4_CUDA_STEP_COLUMNS 6
#define DSV4_CUDA_STEP_HEADER 128

/// Bytes of a column for steps of up to `max_tokens` rows: a multiple of 128.
static inline int64_t dsv4_cuda_step_column_bytes(int64_t max_tokens) {
  return (4 * max_tokens + 127) / 128 * 128;
}

static inline int64_t dsv4_cuda_step_column(int64_t column,
                                            int64_t max_tokens) {
  return DSV4_CUDA_STEP_HEADER +
         column * dsv4_cuda_step_column_bytes(max_tokens);
}

static inline int64_t dsv4_cuda_step_bytes(int64_t max_tokens) {
  return dsv4_cuda_step_column(DSV4_CUDA_STEP_COLUMNS, max_tokens);
}

#ifdef __cplusplus
}
#endif

#ifdef __cplusplus
static_assert(sizeof(dsv4_step) <= DSV4_CUDA_STEP_HEADER, "ABI");
static_assert(sizeof(dsv4_cuda_count) == 40, "ABI");
static_assert(sizeof(dsv4_cuda_image) == 32, "ABI");
static_assert(sizeof(dsv4_cuda_kernel) == 32, "ABI");
static_assert(sizeof(dsv4_cuda_part) == 32, "ABI");
static_assert(sizeof(dsv4_cuda_segment) == 32, "ABI");
static_assert(sizeof(dsv4_cuda_operand) == 24, "ABI");
static_assert(sizeof(dsv4_cuda_node) == 120, "ABI");
static_assert(sizeof(dsv4_cuda_edge) == 12, "ABI");
static_assert(sizeof(dsv4_cuda_graph) == 56, "ABI");
static_assert(sizeof(dsv4_cuda_program) == 168, "ABI");
#endif

#endif // DSV4_RUNTIME_ABI_CUDA_PROGRAM_H
