// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KvRows.h. With AVX-512 VBMI 64 codes become BF16 by table look-ups, and
// the scale of the block, a power of two, is added to their exponents: exact,
// since scales of stored rows leave the range of normal numbers to neither side
// (2^-22 is their floor, R15).

#include "targets/cpu/kernels/KvRows.h"
#include "targets/cpu/kernels/RowOps.h"

#include <algorithm>

namespace dsv4::cpu {

namespace {

constexpr int64_t Lanes = KernelBuilder::Lanes;
constexpr int64_t Block = 64; // codes that share a scale

/// Copies `Bytes` (a multiple of 4), 64 at a time.
void copyBytes(KernelBuilder &K, Val Src, Val Dst, int64_t Bytes) {
  for (int64_t I = 0; I < Bytes; I += 64) {
    int64_t Words = std::min<int64_t>(64, Bytes - I) / 4;
    K.store(K.load(K.vec(Words, K.i32()), Src + I), Dst + I);
  }
}

bool hasLookUp(KernelBuilder &K) { return K.isa() >= IsaLevel::Avx512Bf16; }

/// 32 values of block B from its element 32 x Half on, as BF16 bits.
class BlockBits {
public:
  BlockBits(KernelBuilder &K, Val Row, Val B, int64_t Codes, int64_t R) {
    Val Byte = K.loadU8(Row + (B + (Codes + 2 * R)));
    Exponent = K.splat(K.trunc((Byte - 127) << 7, K.i16()), 32);
    Values = fp8InOrder(K, Row + B * Block);
  }

  Val half(int64_t Half) const {
    Val X = Values[Half];
    return select((X & 0x7fff) == 0, X, X + Exponent);
  }

private:
  Val Exponent;
  Vals Values;
};

/// 16 BF16 of `Bits` from lane First on as f32.
Val singles(KernelBuilder &K, Val Bits, int64_t First) {
  llvm::SmallVector<int64_t> Mask;
  for (int64_t I = 0; I < Lanes; ++I)
    Mask.push_back(First + I);
  return K.bf16ToF32(K.shuffle(Bits, Bits, Mask));
}

/// Stores 32 values of BF16 bits as `Form`.
void storeHalf(KernelBuilder &K, Val Bits, Val Dst, InputForm Form) {
  if (Form == InputForm::Bf16)
    return K.store(Bits, Dst, LineBytes);
  for (int64_t I = 0; I < 32; I += Lanes)
    K.store(singles(K, Bits, I), Dst + I * 4, LineBytes);
}

/// (A[i], B[i]) of 16 lanes from First on.
Val interleave(KernelBuilder &K, Val A, Val B, int64_t First) {
  int64_t Count = llvm::cast<mlir::VectorType>(A.type()).getNumElements();
  llvm::SmallVector<int64_t> Mask;
  for (int64_t I = First; I < First + Lanes; ++I)
    Mask.append({I, Count + I});
  return K.shuffle(A, B, Mask);
}

} // namespace

void packKvRow(KernelBuilder &K, Val Src, Val Row, int64_t D, int64_t R) {
  auto Role = K.touching("kv row");
  int64_t Codes = D - R;
  for (int64_t B = 0; B < Codes / Block; ++B) {
    Val From = Src + B * (2 * Block);
    Val Byte = blockScaleE4M3(K, From, Block);
    Val Inverse = K.splat(inverseScale(K, Byte));
    for (int64_t I = 0; I < Block; I += Lanes) {
      Val Q = quantizeE4M3(K, K.loadBf16(From + I * 2, Lanes), Inverse);
      K.store(K.trunc(K.encodeE4m3(Q), K.i8()), Row + (B * Block + I));
    }
    K.store(K.trunc(Byte, K.i8()), Row + (Codes + 2 * R + B));
  }
  copyBytes(K, Src + Codes * 2, Row + Codes, 2 * R);
}

/// One block of codes without the look-ups.
static void unpackBlock(KernelBuilder &K, Val Row, Val B, Val Dst,
                        int64_t Codes, int64_t R, InputForm Form) {
  Val Scale = K.splat(scaleValue(K, K.loadU8(Row + (B + (Codes + 2 * R)))));
  for (int64_t I = 0; I < Block; I += Lanes) {
    Val Bytes = K.load(K.vec(Lanes, K.i8()), Row + (B * Block + I));
    Val Value = K.decodeE4m3(K.zext(Bytes, K.i32())) * Scale;
    if (Form == InputForm::F32)
      K.store(Value, Dst + I * 4);
    else
      K.storeBf16(Dst + I * 2, Value);
  }
}

void unpackKvRow(KernelBuilder &K, Val Row, Val Dst, int64_t D, int64_t R,
                 InputForm Form) {
  auto Role = K.touching("kv row");
  int64_t Codes = D - R, Size = inputBytes(Form);
  K.forRange(K.c64(0), K.c64(Codes / Block), 1, [&](Val B) {
    Val To = Dst + B * (Block * Size);
    if (!hasLookUp(K))
      return unpackBlock(K, Row, B, To, Codes, R, Form);
    BlockBits Bits(K, Row, B, Codes, R);
    for (int64_t Half = 0; Half < 2; ++Half)
      storeHalf(K, Bits.half(Half), To + Half * (32 * Size), Form);
  });
  if (Form == InputForm::Bf16)
    return copyBytes(K, Row + Codes, Dst + Codes * 2, 2 * R);
  for (int64_t I = 0; I < R; I += Lanes)
    K.store(K.loadBf16(Row + (Codes + 2 * I), Lanes), Dst + (Codes + I) * 4);
}

void unpackKvRows(KernelBuilder &K, Val First, Val Second, Val Dst, int64_t D,
                  int64_t R, InputForm Form) {
  int64_t Codes = D - R;
  if (Form == InputForm::F32) {
    unpackKvRow(K, First, Dst, D, R, Form);
    return unpackKvRow(K, Second, Dst + D * 4, D, R, Form);
  }
  auto Role = K.touching("kv row");
  K.forRange(K.c64(0), K.c64(Codes / Block), 1, [&](Val B) {
    BlockBits One(K, First, B, Codes, R), Two(K, Second, B, Codes, R);
    for (int64_t Half = 0; Half < 2; ++Half) {
      Val A = One.half(Half), C = Two.half(Half);
      for (int64_t I = 0; I < 32; I += Lanes)
        K.store(interleave(K, A, C, I),
                Dst + (B * (Block * 4) + (Half * 32 + I) * 4), LineBytes);
    }
  });
  for (int64_t I = 0; I < R; I += Lanes) {
    auto Load = [&](Val Row) {
      return K.load(K.vec(Lanes, K.i16()), Row + (Codes + 2 * I));
    };
    K.store(interleave(K, Load(First), Load(Second), 0), Dst + (Codes + I) * 4,
            LineBytes);
  }
}

} // namespace dsv4::cpu
