// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of kernels, and the key under which phases share one.

#include "targets/cpu/kernels/Phases.h"

#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace dsv4::cpu {

static constexpr std::pair<const char *, KernelEmitter> Table[] = {
    {"kern.linear", emitLinear},
    {"kern.expert_linear", emitExpertLinear},
    {"kern.quantize", emitQuantize},
    {"kern.rope_table", emitPhase<kern::RopeTableOp, emitRopeTable>},
    {"kern.embed", emitPhase<kern::EmbedOp, emitEmbed>},
    {"kern.norm_quant", emitPhase<kern::NormQuantOp, emitNormQuant>},
    {"kern.hc_mix", emitPhase<kern::HcMixOp, emitHcMix>},
    {"kern.hc_pre", emitPhase<kern::HcPreOp, emitHcPre>},
    {"kern.hc_head", emitPhase<kern::HcHeadOp, emitHcHead>},
    {"kern.query_heads", emitPhase<kern::QueryHeadsOp, emitQueryHeads>},
    {"kern.store_kv", emitPhase<kern::StoreKvOp, emitStoreKv>},
    {"kern.index_query", emitPhase<kern::IndexQueryOp, emitIndexQuery>},
    {"kern.compress", emitPhase<kern::CompressOp, emitCompress>},
    {"kern.carry", emitPhase<kern::CarryOp, emitCarry>},
    {"kern.index_score", emitPhase<kern::IndexScoreOp, emitIndexScore>},
    {"kern.top_k", emitPhase<kern::TopKOp, emitTopK>},
    {"kern.attend", emitPhase<kern::AttendOp, emitAttend>},
    {"kern.route", emitPhase<kern::RouteOp, emitRoute>},
    {"kern.dispatch", emitPhase<kern::DispatchOp, emitDispatch>},
    {"kern.swiglu", emitPhase<kern::SwigluOp, emitSwiglu>},
    {"kern.combine", emitPhase<kern::CombineOp, emitCombine>},
};

KernelEmitter findEmitter(StringRef OpName) {
  for (const auto &[Name, Emitter] : Table)
    if (OpName == Name)
      return Emitter;
  return nullptr;
}

std::string kernelKey(Operation *Phase) {
  std::string Key;
  llvm::raw_string_ostream Out(Key);
  Out << Phase->getName();
  for (Type T : Phase->getOperandTypes())
    Out << ' ' << T;
  for (NamedAttribute A : Phase->getAttrs())
    if (A.getName() != "phase" && A.getName() != "schedule" &&
        A.getName() != "scratch")
      Out << ' ' << A.getName().getValue() << '=' << A.getValue();
  if (auto Program = Phase->getParentOfType<kern::ProgramOp>())
    Out << " experts=" << Program.getExpertsPerToken();
  return Key;
}

TileFormat tileFormat(qfmt::Format Format) {
  switch (Format) {
  case qfmt::Format::FP4:
    return TileFormat::Fp4;
  case qfmt::Format::FP8:
    return TileFormat::Fp8;
  case qfmt::Format::BF16:
    return TileFormat::Bf16;
  default:
    return TileFormat::F32;
  }
}

} // namespace dsv4::cpu
