// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The lowering from the model graph to phases.

#ifndef DSV4_COMPILER_CONVERSION_DSV4TOKERN_PASSES_TD
#define DSV4_COMPILER_CONVERSION_DSV4TOKERN_PASSES_TD

include "mlir/Pass/PassBase.td"

def LowerDsv4ToKernPass : Pass<"lower-dsv4-to-kern", "::mlir::ModuleOp"> {
  let summary = "translate the fused model graph to a kern program";
  let description = [{
    Input: one dsv4.model in the fused subset. Output: one kern.program of the
    same name with a buffer per value, the weights in order of first use, the
    states, and phases in graph order; every phase carries the location of the
    op it came from. Errors name an op outside the fused subset. Config and
    identity of the model stay on the program as `model_config` and
    `model_identity`.

        %q = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
      becomes
        kern.quantize "layers.0.attn.low_q"
          x(%0 : !kern.buffer<token, 256, bf16>)
          xq(%1 : !kern.buffer<token, 256, bf16>)
  }];
  let options = [
    Option<"maxContext", "max-context", "int64_t", "0",
           "longest context in tokens; 0: max_position_embeddings">,
    Option<"maxSequences", "max-sequences", "int64_t", "1",
           "sequences whose state is kept">,
    Option<"maxStepTokens", "max-step-tokens", "int64_t", "512",
           "most tokens of one step">,
    Option<"maxOutputs", "max-outputs", "int64_t", "0",
           "most logits rows of one step; 0: max-step-tokens, at most 128">,
  ];
  let statistics = [
    Statistic<"numPhases", "num-phases", "phases emitted">,
  ];
  let dependentDialects = ["::dsv4::kern::KernDialect",
                           "::dsv4::qfmt::QFmtDialect"];
}

#endif
