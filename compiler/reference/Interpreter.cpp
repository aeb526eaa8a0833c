// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Interpreter.h: weights, state, the walk over a model.

#include "compiler/reference/Interpreter.h"
#include "compiler/reference/OpRunner.h"
#include "runtime/numerics/denormals.h"
#include "runtime/numerics/formats.h"

#include <atomic>
#include <cstring>
#include <thread>

using llvm::Error;
using llvm::Expected;

namespace dsv4::reference {

namespace {

/// Element values of a stored tensor.
std::vector<float> decode(DType Type, llvm::ArrayRef<uint8_t> Bytes) {
  std::vector<float> Out;
  auto Element = [&](size_t I, auto &To) {
    memcpy(&To, Bytes.data() + I * sizeof(To), sizeof(To));
  };
  switch (Type) {
  case DType::BF16:
    for (size_t I = 0; I < Bytes.size() / 2; ++I) {
      uint16_t Bits;
      Element(I, Bits);
      Out.push_back(num::bf16ToFloat(Bits));
    }
    break;
  case DType::F32:
    Out.resize(Bytes.size() / 4);
    memcpy(Out.data(), Bytes.data(), Bytes.size());
    break;
  case DType::F8_E4M3:
    for (uint8_t Code : Bytes)
      Out.push_back(num::e4m3ToFloat(Code));
    break;
  case DType::I8: // packed E2M1, low nibble first
    for (uint8_t Codes : Bytes) {
      Out.push_back(num::e2m1ToFloat(Codes & 15));
      Out.push_back(num::e2m1ToFloat(Codes >> 4));
    }
    break;
  default: // I64 table of expert ids, small
    for (size_t I = 0; I < Bytes.size() / 8; ++I) {
      int64_t Id;
      Element(I, Id);
      Out.push_back(float(Id));
    }
  }
  return Out;
}

/// One scale per 32 inputs of each row.
std::vector<float> decodeScales(const Weight &W, bool Fp8,
                                llvm::ArrayRef<uint8_t> Bytes) {
  std::vector<float> Out;
  int64_t Groups = W.K / 32, Tiles = (W.K + 127) / 128;
  for (int64_t N = 0; N < W.N; ++N)
    for (int64_t G = 0; G < Groups; ++G)
      Out.push_back(num::e8m0ToFloat(Fp8 ? Bytes[N / 128 * Tiles + G / 4]
                                         : Bytes[N * Groups + G]));
  return Out;
}

std::string expertName(llvm::StringRef Name, int64_t E) {
  std::string Out = Name.str();
  size_t At = Out.find("{e}");
  return At == std::string::npos ? Out : Out.replace(At, 3, std::to_string(E));
}

} // namespace

void parallelFor(int64_t N, llvm::function_ref<void(int64_t)> Body) {
  std::atomic<int64_t> Next = 0;
  auto Work = [&] {
    num::FlushDenormals Flush;
    for (int64_t I; (I = Next++) < N;)
      Body(I);
  };
  std::vector<std::thread> Threads;
  unsigned Cores = std::max(1u, std::thread::hardware_concurrency());
  for (unsigned I = 1; I < Cores && int64_t(I) < N; ++I)
    Threads.emplace_back(Work);
  Work();
  for (std::thread &T : Threads)
    T.join();
}

Interpreter::Interpreter(graph::ModelOp Model, const Checkpoint &Source)
    : Model(Model), Source(Source) {}

const Weight &Interpreter::weight(mlir::Value V, int64_t E) {
  auto Op = V.getDefiningOp<graph::WeightOp>();
  std::string Name = expertName(Op.getTensor(), E);
  auto [Entry, IsNew] = Weights.try_emplace(Name);
  Weight &W = Entry->second;
  if (!IsNew)
    return W;
  auto Type = Op.getResult().getType();
  W.K = Type.getShape().back();
  W.N = Type.getShape().size() > 1 ? Type.getShape()[Type.getShape().size() - 2]
                                   : 1;
  W.Values = decode(Source.find(Name)->Type, Source.bytes(Name));
  if (Op.getScale())
    W.Scales = decodeScales(W, Type.getFormat() == qfmt::Format::FP8,
                            Source.bytes(expertName(*Op.getScale(), E)));
  return W;
}

State &Interpreter::state(mlir::Value V) {
  return States[V.getDefiningOp<graph::StateOp>().getName().str()];
}

Expected<Value> Interpreter::run(llvm::ArrayRef<int32_t> Ids) {
  num::FlushDenormals Flush;
  Value Tokens, Positions;
  Tokens.Shape = Positions.Shape = {int64_t(Ids.size())};
  Tokens.I.assign(Ids.begin(), Ids.end());
  for (size_t I = 0; I < Ids.size(); ++I)
    Positions.I.push_back(int32_t(Length + I));
  OpRunner Run(*this, Tokens, Positions);
  mlir::Block &Body = Model.getBody().front();
  for (mlir::Operation &Op : Body.without_terminator())
    if (Error E = Run.run(Op))
      return E;
  Length += Ids.size();
  return Run.result(llvm::cast<graph::ReturnOp>(Body.back()).getLogits());
}

} // namespace dsv4::reference
