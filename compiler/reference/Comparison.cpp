// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Comparison.h.

#include "compiler/reference/Comparison.h"

#include "runtime/numerics/formats.h"

#include <cstring>

namespace dsv4::reference {

Value valueOf(const TensorInfo &Tensor, llvm::ArrayRef<uint8_t> Bytes) {
  Value V;
  V.Shape = Tensor.Shape;
  if (V.Shape.empty())
    V.Shape = {1};
  size_t Count = Bytes.size() / dtypeBytes(Tensor.Type);
  if (Tensor.Type == DType::I32) {
    V.I.resize(Count);
    memcpy(V.I.data(), Bytes.data(), Bytes.size());
  } else if (Tensor.Type == DType::F32) {
    V.F.resize(Count);
    memcpy(V.F.data(), Bytes.data(), Bytes.size());
  } else if (Tensor.Type == DType::BF16) {
    for (size_t I = 0; I < Count; ++I) {
      uint16_t Bits;
      memcpy(&Bits, Bytes.data() + 2 * I, 2);
      V.F.push_back(num::bf16ToFloat(Bits));
    }
  }
  return V;
}

Value slice(const Value &V, int64_t First, int64_t Count) {
  Value Out;
  Out.Shape = V.Shape;
  Out.Shape[0] = Count;
  int64_t Begin = First * V.width(), End = (First + Count) * V.width();
  if (!V.F.empty())
    Out.F.assign(V.F.begin() + Begin, V.F.begin() + End);
  if (!V.I.empty())
    Out.I.assign(V.I.begin() + Begin, V.I.begin() + End);
  return Out;
}

/// Ids of a row are a set: how many of one are not in the other.
static int64_t missingIds(const int32_t *A, const int32_t *B, int64_t N) {
  int64_t Missing = 0;
  for (int64_t I = 0; I < N; ++I)
    Missing += A[I] >= 0 && !llvm::is_contained(llvm::ArrayRef(B, N), A[I]);
  return Missing;
}

Difference compare(const Value &V, const Value &Reference, int64_t First) {
  Difference D;
  int64_t W = V.width(), Offset = First * W;
  if (!V.I.empty()) {
    for (int64_t T = 0; T < V.rows(); ++T) {
      const int32_t *Ours = V.I.data() + T * W;
      const int32_t *Theirs = Reference.I.data() + Offset + T * W;
      D.Differing +=
          std::max(missingIds(Ours, Theirs, W), missingIds(Theirs, Ours, W));
    }
    D.Equal = 1.0 - double(D.Differing) / double(V.I.size());
    return D;
  }
  double Error = 0, Power = 0;
  for (size_t I = 0; I < V.F.size(); ++I) {
    double A = V.F[I], B = Reference.F[Offset + I];
    Error += (A - B) * (A - B);
    Power += B * B;
    D.Differing += A != B;
  }
  D.Nmse = Power > 0 ? Error / Power : Error;
  D.Equal = 1.0 - double(D.Differing) / double(V.F.size());
  return D;
}

} // namespace dsv4::reference
