// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The contract between the compiler and the runtime of a generated executable:
// plain structs that the compiler emits as constants and the runtime walks.
// Included by both sides; depends on nothing but <stdint.h>. A change of any
// layout here raises DSV4_ABI_VERSION; a runtime refuses another version.
//
// Sizes and offsets are affine in the context length, in units of context
// blocks of DSV4_CONTEXT_BLOCK tokens: bytes = fixed + per_block * blocks.

#ifndef DSV4_RUNTIME_ABI_PROGRAM_H
#define DSV4_RUNTIME_ABI_PROGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DSV4_ABI_VERSION 3u
#define DSV4_PROGRAM_MAGIC 0x3470727634767364ull // "dsv4vrp4"
#define DSV4_CONTEXT_BLOCK 128

/// bytes = fixed + per_block * (context / DSV4_CONTEXT_BLOCK)
typedef struct dsv4_affine {
  int64_t fixed;
  int64_t per_block;
} dsv4_affine;

/// Where an operand of a phase lives. State operands are the address of the
/// value in sequence 0; sequence s is at + s * step->state_stride bytes.
enum dsv4_space {
  DSV4_SPACE_WEIGHTS = 0, // packed weights, read-only
  DSV4_SPACE_BUFFER = 1,  // step buffers, planned by lifetime
  DSV4_SPACE_STATE = 2,   // per-sequence state
  DSV4_SPACE_CONST = 3,   // constants inside the object: fixed = address slot
};

typedef struct dsv4_operand {
  int32_t space;
  int32_t reserved;
  dsv4_affine offset;
} dsv4_operand;

/// One call of the model on a batch of token rows. Rows of one sequence are
/// consecutive and ascend by position. Read by generated code: see the
/// static assertions for the offsets that the code generator uses.
typedef struct dsv4_step {
  int64_t tokens;            // rows in this step
  int64_t outputs;           // rows whose logits are wanted
  int64_t context;           // planned context, multiple of DSV4_CONTEXT_BLOCK
  int64_t state_stride;      // bytes between two sequences' state
  const int32_t *token;      // [tokens] id
  const int32_t *position;   // [tokens] absolute position
  const int32_t *sequence;   // [tokens] state slot
  const int32_t *first_row;  // [tokens] first row of the same sequence here
  const int32_t *end_row;    // [tokens] one past its last row here
  const int32_t *output_row; // [outputs] row of each wanted logits row
  int64_t max_position;      // largest position in this step
} dsv4_step;

/// Computes items [begin, end) of a phase. `operands` are resolved addresses in
/// the order of the phase's operand table; `scratch` is this worker's scratch.
/// The result may not depend on how items are split over calls and workers.
typedef void (*dsv4_kernel)(const dsv4_step *step, void *const *operands,
                            int64_t begin, int64_t end, void *scratch);

/// How many items a phase has: `factor` times the quantity named by the rule.
enum dsv4_items {
  DSV4_ITEMS_ONE = 0,            // factor
  DSV4_ITEMS_TOKENS = 1,         // factor * step.tokens
  DSV4_ITEMS_OUTPUTS = 2,        // factor * step.outputs
  DSV4_ITEMS_ACTIVE_EXPERTS = 3, // factor * *(int32*)operand[items_operand]
  DSV4_ITEMS_ENTRIES = 4, // factor * tokens * ceil(visible/items_block), where
                          // visible = (max_position + 1) / items_ratio
};

typedef struct dsv4_phase {
  dsv4_kernel kernel;
  const char *name;      // "layers.3.attn.qkv"
  const char *kind;      // "linear"
  int32_t first_operand; // into dsv4_program.operands
  int32_t num_operands;
  int32_t items_rule; // enum dsv4_items
  int32_t items_operand;
  int64_t items_factor;
  int32_t items_ratio;
  int32_t items_block;
  int32_t grain; // items that a worker claims at once
  int32_t reserved;
} dsv4_phase;

/// Maxima fixed at compile time and the planned sizes.
typedef struct dsv4_limits {
  int64_t max_context; // tokens
  int64_t max_sequences;
  int64_t max_step_tokens; // rows of one step
  int64_t max_outputs;     // logits rows of one step
  int64_t vocab;
  dsv4_affine buffer_bytes;  // one arena of step buffers
  dsv4_affine state_bytes;   // of one sequence
  dsv4_affine scratch_bytes; // of one worker
  int64_t weight_bytes;      // packed weights
  int64_t experts_per_token; // routed
} dsv4_limits;

/// CPU features that the generated code uses; checked before anything runs.
enum dsv4_cpu_feature {
  DSV4_CPU_AVX2 = 1u << 0,
  DSV4_CPU_FMA = 1u << 1,
  DSV4_CPU_AVX512F = 1u << 2,
  DSV4_CPU_AVX512BW = 1u << 3,
  DSV4_CPU_AVX512VL = 1u << 4,
  DSV4_CPU_AVX512DQ = 1u << 5,
  DSV4_CPU_AVX512BF16 = 1u << 6,
  DSV4_CPU_AVX512VBMI = 1u << 7,
  DSV4_CPU_AVX512VNNI = 1u << 8,
  DSV4_CPU_AMX_BF16 = 1u << 9, // and its tile registers
};

typedef struct dsv4_blob {
  const void *data;
  int64_t size;
} dsv4_blob;

/// One tensor of the packed weights, for self-test and info.
typedef struct dsv4_weight_entry {
  const char *name;
  int64_t offset; // in the packed weights
  int64_t bytes;
} dsv4_weight_entry;

/// Element format of a matrix packed in tiles of 16 rows (layout:
/// targets/cpu/Packing.h).
enum dsv4_tile_format {
  DSV4_TILE_FP4 = 0,
  DSV4_TILE_FP8 = 1,
  DSV4_TILE_BF16 = 2,
};

/// One matrix product of a phase: enough for self-test to compute it again with
/// scalar code. y[r, n] = sum_k x[r, g columns + k] * w[e, n, k], g the group
/// of n. With `lists` (of dispatch) row r is a slot, and reads row
/// r / slots_per_x_row of x.
typedef struct dsv4_product {
  int32_t phase;      // into dsv4_program.phases
  int32_t x, w, y;    // into dsv4_program.operands
  int32_t lists;      // into dsv4_program.operands; -1: no experts
  int32_t format;     // enum dsv4_tile_format
  int32_t groups;     // of the columns of x, and of the rows of w
  int32_t y_is_f32;   // else BF16, as x
  int32_t of_outputs; // rows are those whose logits are wanted
  int32_t reserved;
  int64_t experts, rows, columns; // of w
  int64_t x_row_bytes, y_row_bytes;
  int64_t slots_per_x_row;
} dsv4_product;

/// Rows of state that a phase reads for a token at position p: the last
/// min(p + 1, limit) positions where `ratio` is 0, else min((p + 1) / ratio,
/// limit) entries. For bench: what a token reads beside the weights, and the
/// products that it takes part in.
typedef struct dsv4_state_read {
  int32_t phase; // into dsv4_program.phases
  int32_t ratio;
  int32_t operand; // the state, into dsv4_program.operands
  int32_t reserved;
  int64_t row_bytes;     // of one row; tiles of 16 rows count by the row
  int64_t limit;         // rows; INT64_MAX: all
  int64_t multiply_adds; // of all heads with one row
} dsv4_state_read;

/// The root that the compiler emits as `dsv4_program_root`.
typedef struct dsv4_program {
  uint64_t magic;
  uint32_t abi_version;
  uint32_t cpu_features; // mask of dsv4_cpu_feature
  const char *target;    // "cpu:sapphirerapids"
  const char *identity;  // one line: release and config hash
  const char *info_json; // identity, hashes, plan, target; static part of info
  const char *configs;   // "dot f32 (heuristic), micro_rows 8 (profile), ..."
  dsv4_limits limits;
  const dsv4_phase *phases;
  int64_t num_phases;
  const dsv4_operand *operands;
  int64_t num_operands;
  const void *const
      *constants; // DSV4_SPACE_CONST: operand.offset.fixed indexes
  int64_t num_constants;
  const dsv4_weight_entry *weights;
  int64_t num_weights;
  int32_t logits_operand;  // index into operands: F32 [outputs, vocab]
  int32_t weights_mode;    // 0 embedded section, 1 sidecar file
  dsv4_blob tokenizer;     // size 0: compiled with --no-tokenizer
  dsv4_blob known_answers; // JSON of the checkpoint's own samples, may be empty
  uint8_t weights_hash[32]; // sidecar binding (SHA-256 of the packed weights)
  int32_t bos_token;
  int32_t eos_token;
  float temperature; // generation_config defaults
  float top_p;
  const dsv4_product *products;
  int64_t num_products;
  const dsv4_state_read *state_reads;
  int64_t num_state_reads;
  int32_t dot_order; // of sums in products: num::DotOrder (numerics/dot.h)
  int32_t reserved;
  /// For a GPU: its half of the program (cuda_program.h); null for a CPU.
  /// Phases then have no kernel, and say what the model does.
  const struct dsv4_cuda_program *cuda;
} dsv4_program;

#ifndef __CUDACC__ // device code reads steps, not programs
extern const dsv4_program dsv4_program_root;
#endif

#ifdef __cplusplus
}
#endif

#ifdef __cplusplus
static_assert(sizeof(dsv4_affine) == 16, "ABI");
static_assert(sizeof(dsv4_operand) == 24, "ABI");
static_assert(sizeof(dsv4_step) == 88, "ABI");
static_assert(sizeof(dsv4_phase) == 64, "ABI");
static_assert(sizeof(dsv4_limits) == 104, "ABI");
static_assert(sizeof(dsv4_product) == 88, "ABI");
static_assert(sizeof(dsv4_state_read) == 40, "ABI");
#endif

#endif // DSV4_RUNTIME_ABI_PROGRAM_H
