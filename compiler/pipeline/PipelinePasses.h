// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The phases as pass pipelines of an opt-like tool, and a pass that prints the
// plan.

#ifndef DSV4_COMPILER_PIPELINE_PIPELINEPASSES_H
#define DSV4_COMPILER_PIPELINE_PIPELINEPASSES_H

namespace dsv4 {

/// Registers the pipelines --dsv4-phase-NAME (options context, sequences,
/// step-tokens, outputs) and the pass --print-plan (options context,
/// sequences, workers, json), besides all passes of the phases.
void registerPhasePipelines();

} // namespace dsv4

#endif // DSV4_COMPILER_PIPELINE_PIPELINEPASSES_H
