// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Planning passes of the kern dialect. Each reads types and uses, writes
// attributes, and leaves ops, operands and order alone.

#ifndef DSV4_DIALECTS_KERN_TRANSFORMS_PASSES_TD
#define DSV4_DIALECTS_KERN_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

class Kern_Pass<string flag> : Pass<flag, "::dsv4::kern::ProgramOp"> {
  let dependentDialects = ["::dsv4::kern::KernDialect"];
}

def PlanStatePass : Kern_Pass<"kern-plan-state"> {
  let summary = "lay out one sequence's state";
  let description = [{
    Input: kern.state declarations. Output: `offset` and `bytes` on each,
    affine in context blocks of 128 tokens; `state_bytes` and `state_classes`
    on the program. Order: all windows, carries, index entries, entries; inside
    entries those with whole 64-byte lines per block first, so that the 584-byte
    rows of ratio 128 need no padding. Must not touch buffers and phases.

        %s = kern.state "w" : <window, rows = 16, #qfmt.rows<...>>
      becomes
        %s = kern.state "w" {bytes = #kern.affine<9344, 0>,
                             offset = #kern.affine<0, 0>} : ...
  }];
  let statistics = [
    Statistic<"numStates", "num-states", "states placed">,
  ];
}

def PlanBuffersPass : Kern_Pass<"kern-plan-buffers"> {
  let summary = "place step buffers by lifetime";
  let description = [{
    Input: kern.buffer declarations and the phases that use them. Output:
    `lifetime` (first and last phase, both inclusive), `bytes` and `offset` on
    each buffer, `buffer_bytes` (the peak) on the program. Largest first, best
    fit: two buffers whose lifetimes meet never overlap for any context from
    one block to the maximum. Buffers without a use are erased. Must not touch
    states, weights and phases.

    `linger` is for targets that run neighbouring phases at the same time: the
    room of a buffer is taken again that many phases after its lifetime, so
    that a phase may run beside, or before, any of so many phases before it
    that it has no data from. `lifetime` says the phases that use it still.

        %b = kern.buffer "x" : <token, 256, bf16>
      becomes
        %b = kern.buffer "x" {bytes = #kern.affine<8192, 0>, lifetime =
          array<i64: 0, 2>, offset = #kern.affine<0, 0>} : ...
  }];
  let options = [
    Option<"linger", "linger", "int64_t", /*default=*/"0",
           "phases that a buffer keeps its room after its last one">,
  ];
  let statistics = [
    Statistic<"numBuffers", "num-buffers", "buffers placed">,
    Statistic<"numErased", "num-erased", "buffers without a use">,
  ];
}

def AssignPackingPass : Kern_Pass<"kern-assign-packing"> {
  let summary = "choose the packed layout of every weight and place it";
  let description = [{
    Input: kern.weight declarations and the phases that read them. Output:
    `packing` (what all readers ask for), `offset` and `bytes` in the packed
    weights, in declaration order, 64-byte aligned; `weight_bytes` on the
    program. Errors: a weight that no phase reads; two readers that ask for
    different layouts; a shape that the layout cannot hold. Must not touch
    buffers, states and phases.

        %w = kern.weight "n" : !qfmt.weight<32x64, bf16>
      becomes
        %w = kern.weight "n" {bytes = 4096 : i64, offset = 0 : i64,
                              packing = #kern.packing<tile16>} : ...
  }];
  let statistics = [
    Statistic<"numTiled", "num-tiled", "weights in tiles">,
    Statistic<"numRaw", "num-raw", "weights as stored">,
  ];
}

def SchedulePhasesPass : Kern_Pass<"kern-schedule-phases"> {
  let summary = "number the phases and state their item rules";
  let description = [{
    Input: phase ops in a valid order. Output: `schedule` on each (number, item
    rule, grain), `num_phases` and `scratch_bytes` (the largest need of a
    phase) on the program. The grain makes one claim of work touch at least
    `claim-bytes`, so that claiming stays cheap. Must not touch declarations,
    operands and order.

        kern.quantize "q" x(...) xq(...)
      gains
        {schedule = #kern.schedule<phase = 0, rule = tokens, factor = 2, ...>}
  }];
  let options = [
    Option<"claimBytes", "claim-bytes", "int64_t", "16384",
           "bytes read per claim that the grain aims at">,
  ];
  let statistics = [
    Statistic<"numPhases", "num-phases", "phases numbered">,
  ];
}

def CheckSchedulePass : Kern_Pass<"kern-check-schedule"> {
  let summary = "prove that a planned program is free of races";
  let description = [{
    Input: a planned and scheduled program. Output: the same, or an error:
    a phase without a number or out of order; a buffer read before a phase
    wrote it; operands of one phase that are the same buffer and one is
    written; two live buffers that overlap at some context; a placement outside
    its arena; a window or entries state read before this step's rows are
    stored; a carry overwritten before it was read. Changes nothing.

        phase reads %b, no phase before it writes %b
      fails with
        reads buffer "x" before any phase wrote it
  }];
  let statistics = [
    Statistic<"numChecked", "num-checked", "phases checked">,
  ];
}

#endif
