// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pass lists of the phases verify and fuse, as texts that a pass manager on
// a module parses.

#ifndef DSV4_DIALECTS_DSV4_TRANSFORMS_PIPELINES_H
#define DSV4_DIALECTS_DSV4_TRANSFORMS_PIPELINES_H

namespace dsv4::graph {

inline constexpr const char *VerifyPipeline = "dsv4.model(dsv4-verify-model)";

/// Experts before projections, which would stack the gate with shared experts.
inline constexpr const char *FusePipeline =
    "dsv4.model(dsv4-fuse-hyper-boundary,dsv4-fuse-moe,dsv4-fuse-query-kv,"
    "dsv4-fuse-index-select,dsv4-fuse-attention,dsv4-fuse-projections,"
    "dsv4-check-fused)";

} // namespace dsv4::graph

#endif // DSV4_DIALECTS_DSV4_TRANSFORMS_PIPELINES_H
