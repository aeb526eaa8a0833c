// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A small language over MLIR builders in which the CPU kernels are written.
// A `Val` is an SSA value with operators; plain C++ loops unroll, `forRange`
// loops at run time. All float vectors have 16 lanes of f32 at every ISA level
// (LLVM splits them), so a kernel gives the same bits everywhere; only the dot
// product (kernels/Dot.h) looks at the level.
//
// How to write a kernel (see kernels/Quantize.cpp for a whole one):
//   void emitScale(KernelBuilder &K, ScaleOp Op) {
//     Val X = K.operand(0), Y = K.operand(1);       // operand table order
//     K.forItems([&](Val Item) {                    // begin <= item < end
//       Val Row = X + Item * (N * 2);               // pointers count bytes
//       for (int64_t I = 0; I < N; I += 16)         // unrolled
//         K.storeBf16(Y + Item * (N * 2) + I * 2,   // f32 -> bf16, nearest
//         even
//                     K.loadBf16(Row + I * 2, 16) * 2.0);
//     });
//   }
// and add one line to the table in kernels/Kernels.cpp.
//
// Rules. Offsets are bytes. Addresses are i64 arithmetic. `a * b + c` is two
// roundings, `fma(a, b, c)` one: write what docs/numerics.md says. max/min
// need operands that are no NaN. Every literal takes the type of the Val that
// it meets (splat for vectors).

#ifndef DSV4_TARGETS_CPU_KERNELBUILDER_H
#define DSV4_TARGETS_CPU_KERNELBUILDER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "targets/common/TargetDesc.h"
#include "targets/common/TuningProfile.h"
#include "targets/cpu/Packing.h"
#include "targets/cpu/dump/MemoryRole.h"

#include "llvm/Support/SaveAndRestore.h"

#include <map>
#include <type_traits>

namespace dsv4::cpu {

using Isa = IsaLevel;

class KernelBuilder;

/// An SSA value: scalar or vector of i1..i64, f32, f64, or a raw pointer.
class Val {
public:
  Val() = default;
  Val(mlir::Value V, KernelBuilder *K) : V(V), K(K) {}
  mlir::Value value() const { return V; }
  KernelBuilder &builder() const { return *K; }
  mlir::Type type() const { return V.getType(); }
  explicit operator bool() const { return bool(V); }
  /// A constant of this value's type.
  Val like(int64_t C) const;
  Val like(double C) const;

private:
  mlir::Value V;
  KernelBuilder *K = nullptr;
};

// Arithmetic. Floats: IEEE, one rounding each. Integers: wrap; / and % signed;
// >> logical. Pointer + i64 moves by bytes.
Val operator+(Val A, Val B);
Val operator-(Val A, Val B);
Val operator*(Val A, Val B);
Val operator/(Val A, Val B);
Val operator%(Val A, Val B);
Val operator&(Val A, Val B);
Val operator|(Val A, Val B);
Val operator^(Val A, Val B);
Val operator<<(Val A, Val B);
Val operator>>(Val A, Val B);
Val operator-(Val A);
// Comparisons give i1 (or a vector of i1): ordered for floats, signed for
// integers.
Val operator<(Val A, Val B);
Val operator<=(Val A, Val B);
Val operator>(Val A, Val B);
Val operator>=(Val A, Val B);
Val operator==(Val A, Val B);
Val operator!=(Val A, Val B);

template <class T>
concept Literal = std::is_arithmetic_v<T>;
template <Literal T> Val likeLiteral(Val A, T C) {
  if constexpr (std::is_floating_point_v<T>)
    return A.like(double(C));
  else
    return A.like(int64_t(C));
}
#define DSV4_VAL_LITERAL(OP)                                                   \
  template <Literal T> Val operator OP(Val A, T C) {                           \
    return A OP likeLiteral(A, C);                                             \
  }                                                                            \
  template <Literal T> Val operator OP(T C, Val A) {                           \
    return likeLiteral(A, C) OP A;                                             \
  }
DSV4_VAL_LITERAL(+)
DSV4_VAL_LITERAL(-)
DSV4_VAL_LITERAL(*)
DSV4_VAL_LITERAL(/)
DSV4_VAL_LITERAL(%)
DSV4_VAL_LITERAL(&)
DSV4_VAL_LITERAL(|)
DSV4_VAL_LITERAL(^)
DSV4_VAL_LITERAL(<<)
DSV4_VAL_LITERAL(>>)
DSV4_VAL_LITERAL(<)
DSV4_VAL_LITERAL(<=)
DSV4_VAL_LITERAL(>)
DSV4_VAL_LITERAL(>=)
DSV4_VAL_LITERAL(==)
DSV4_VAL_LITERAL(!=)
#undef DSV4_VAL_LITERAL

/// a * b + c with one rounding.
Val fma(Val A, Val B, Val C);
/// IEEE square root.
Val sqrt(Val A);
/// |a| (sign bit cleared).
Val abs(Val A);
/// a > b ? a : b and a < b ? a : b (b where they are equal).
Val max(Val A, Val B);
Val min(Val A, Val B);
Val select(Val Cond, Val A, Val B);

using Vals = llvm::SmallVector<Val, 4>;

/// Writes functions into one MLIR module.
class KernelBuilder {
public:
  /// Lanes of every float vector.
  static constexpr int64_t Lanes = 16;

  KernelBuilder(mlir::ModuleOp Module, const TargetDesc &Target,
                const Tuning &Tuning = dsv4::Tuning());

  Isa isa() const { return Level; }
  /// What dot products are made of: Bf16 or F32.
  DotForm dotForm() const { return Choices.dot; }
  /// Order of sums in linears (numerics R1).
  num::DotOrder dotOrder() const { return Order; }
  /// Whether many rows meet the tile registers of AMX.
  bool hasMatrixUnit() const { return Level >= Isa::Amx; }
  /// Another form of pairs while the result lives.
  [[nodiscard]] llvm::SaveAndRestore<DotForm> useForm(DotForm Form) {
    return {Choices.dot, Form};
  }
  /// Another order of sums while the result lives.
  [[nodiscard]] llvm::SaveAndRestore<num::DotOrder>
  useOrder(num::DotOrder Other) {
    return {Order, Other};
  }
  /// Input rows of the micro-kernel for many rows.
  int64_t microRows() const {
    return Order == num::DotOrder::Split ? (Choices.microRows + 1) / 2
                                         : Choices.microRows;
  }
  /// Tiles that one or two input rows meet together: 1, 2 or 4.
  int64_t streamTiles() const { return Choices.streamTiles; }
  /// Distance of prefetches ahead of a streamed tile's loads, in bytes; 0:
  /// none.
  int64_t prefetchBytes(TileFormat Format) const;
  mlir::OpBuilder &builder() { return B; }
  mlir::Location loc() const { return Loc; }

  // -- Functions ----------------------------------------------------------
  /// Starts `void Name(step, operands, begin, end, scratch)`; ends with
  /// endFunction(). `NumOperands` pointers are loaded at entry.
  void beginKernel(llvm::StringRef Name, unsigned NumOperands);
  /// Starts an internal function with parameters of the given types; its
  /// parameters are param(i).
  void beginHelper(llvm::StringRef Name, llvm::ArrayRef<mlir::Type> Types);
  void endFunction();
  /// Whether a function of that name has been begun: helpers are shared.
  bool hasFunction(llvm::StringRef Name);
  void call(llvm::StringRef Name, llvm::ArrayRef<Val> Args);
  Val param(unsigned I) { return Params[I]; }

  /// Address of operand i. For a state: the value in sequence 0.
  Val operand(unsigned I) { return Operands[I]; }
  /// Address of a state operand in the sequence of a token row.
  Val stateOf(unsigned I, Val Row);
  Val begin() { return Params[2]; }
  Val end() { return Params[3]; }
  Val scratch() { return Params[4]; }
  /// A loop over the kernel's items.
  void forItems(llvm::function_ref<void(Val Item)> Body);

  // -- The step (struct dsv4_step), i64 values ----------------------------
  Val tokens();
  Val outputs();
  Val context();
  Val maxPosition();
  Val token(Val Row);
  Val position(Val Row);
  Val sequence(Val Row);
  Val firstRow(Val Row);
  Val endRow(Val Row);
  Val outputRow(Val Output);

  // -- Types and constants ------------------------------------------------
  mlir::Type i1() { return B.getI1Type(); }
  mlir::Type i8() { return B.getI8Type(); }
  mlir::Type i16() { return B.getI16Type(); }
  mlir::Type i32() { return B.getI32Type(); }
  mlir::Type i64() { return B.getI64Type(); }
  mlir::Type f32() { return B.getF32Type(); }
  mlir::Type f64() { return B.getF64Type(); }
  mlir::Type ptr();
  mlir::Type vec(int64_t N, mlir::Type Element);
  Val constant(mlir::Type T, int64_t C);
  Val constant(mlir::Type T, double C);
  Val c64(int64_t C) { return constant(i64(), C); }
  Val c32(int32_t C) { return constant(i32(), int64_t(C)); }
  Val cf(float C) { return constant(f32(), double(C)); }
  Val cd(double C) { return constant(f64(), C); }
  /// 16 lanes of f32 or i32.
  Val vf(float C) { return constant(vec(Lanes, f32()), double(C)); }
  Val vi(int32_t C) { return constant(vec(Lanes, i32()), int64_t(C)); }
  /// A vector constant by its lanes.
  Val lanes(llvm::ArrayRef<float> C);
  Val lanes(llvm::ArrayRef<int32_t> C);
  Val lanes16(llvm::ArrayRef<int16_t> C);
  Val lanes8(llvm::ArrayRef<int8_t> C);
  /// Address of a constant array inside the object.
  Val constantF32(llvm::ArrayRef<float> C);
  Val constantF64(llvm::ArrayRef<double> C);
  Val constantI32(llvm::ArrayRef<int32_t> C);

  // -- Memory. Align in bytes; 0: that of one element -----------------------
  Val load(mlir::Type T, Val Ptr, unsigned Align = 0);
  void store(Val V, Val Ptr, unsigned Align = 0);
  Val loadF32(Val Ptr) { return load(f32(), Ptr); }
  Val loadI32(Val Ptr) { return load(i32(), Ptr); }
  Val loadI64(Val Ptr) { return load(i64(), Ptr); }
  Val loadU8(Val Ptr) { return zext(load(i8(), Ptr), i32()); }
  /// 16 lanes of f32.
  Val loadVF(Val Ptr, unsigned Align = 0) {
    return load(vec(Lanes, f32()), Ptr, Align);
  }
  Val loadVI(Val Ptr, unsigned Align = 0) {
    return load(vec(Lanes, i32()), Ptr, Align);
  }
  /// BF16 in memory as f32: N = 1 a scalar, else a vector.
  Val loadBf16(Val Ptr, int64_t N = 1);
  /// f32 (any lanes) rounded to BF16 and stored.
  void storeBf16(Val Ptr, Val V);
  /// Hint that the line at Ptr will be read soon; may point anywhere.
  void prefetch(Val Ptr);
  /// Loads, stores and prefetches before stay before, those after stay after:
  /// keeps prefetches spread as they were written. No instruction.
  void keepOrder();
  /// Says what is read and written while the result lives, the innermost one
  /// first, for the dump of hot loops (dump/MemoryRole.h); `Bits` of an element
  /// where elements are to be counted. No instruction.
  [[nodiscard]] llvm::SaveAndRestore<MemoryRole> touching(llvm::StringRef What,
                                                          int64_t Bits = 0);

  // -- Conversions (element-wise, scalars and vectors) ----------------------
  Val zext(Val V, mlir::Type Element);
  Val sext(Val V, mlir::Type Element);
  Val trunc(Val V, mlir::Type Element);
  Val sext64(Val V) { return sext(V, i64()); }
  Val trunc32(Val V) { return trunc(V, i32()); }
  Val toFloat(Val V);                   // signed integer -> f32
  Val toDouble(Val V);                  // f32 or signed integer -> f64
  Val toSingle(Val V);                  // f64 -> f32, nearest even
  Val toInt(Val V, mlir::Type Element); // towards zero; must be in range
  Val asInt(Val V);                     // bits of f32 / f64
  Val asFloat(Val V);                   // f32 / f64 from bits
  Val bitcast(Val V, mlir::Type T);
  /// BF16 bits (i16) <-> f32, and f32 rounded to the BF16 grid.
  Val bf16ToF32(Val Bits);
  Val f32ToBf16(Val V);
  Val roundBf16(Val V);

  // -- Lanes ----------------------------------------------------------------
  Val splat(Val Scalar, int64_t N = Lanes);
  Val lane(Val V, int64_t I);
  Val lane(Val V, Val I);
  Val withLane(Val V, Val Scalar, int64_t I);
  Val shuffle(Val A, Val B, llvm::ArrayRef<int64_t> Mask);
  /// Tree of numerics R3: acc[l] += acc[l + 8], + 4, + 2, + 1; a scalar.
  Val laneSum(Val V);
  /// Largest lane; order is irrelevant.
  Val laneMax(Val V);

  // -- Numerics (runtime/numerics) ------------------------------------------
  /// The same polynomials and order as runtime/numerics/math.h. f32.
  Val exp(Val X);
  Val log1p(Val X);
  Val sigmoid(Val X);
  Val softplus(Val X);
  /// Cosine and sine of an f32 angle, rounded to f32 (R13).
  std::pair<Val, Val> cosSin(Val Angle);
  /// 2^(byte - 127) of E8M0 bytes given as i32.
  Val e8m0ToF32(Val Byte);
  /// f32 rounded to the grid of E4M3 (clamped to 448) or E2M1 (to 6), ties to
  /// even; the sign of zero stays.
  Val roundE4m3(Val X);
  Val roundE2m1(Val X);
  /// Codes (i32, sign included) of values on the grid, and back.
  Val encodeE4m3(Val Rounded);
  Val encodeE2m1(Val Rounded);
  Val decodeE4m3(Val Code);
  Val decodeE2m1(Val Code);

  // -- Control ----------------------------------------------------------------
  void forRange(Val Lo, Val Hi, int64_t Step,
                llvm::function_ref<void(Val I)> Body);
  Vals forRange(Val Lo, Val Hi, int64_t Step, llvm::ArrayRef<Val> Init,
                llvm::function_ref<Vals(Val I, llvm::ArrayRef<Val>)> Body);
  void ifThen(Val Cond, llvm::function_ref<void()> Then);
  /// Body(N) for the N of 1 .. Most that `Count` is; none for other counts.
  void ifOneOf(Val Count, int64_t Most,
               llvm::function_ref<void(int64_t N)> Body);
  void ifElse(Val Cond, llvm::function_ref<void()> Then,
              llvm::function_ref<void()> Else);
  /// The same with results; named apart, or a lambda would fit both.
  Vals choose(Val Cond, llvm::function_ref<Vals()> Then,
              llvm::function_ref<Vals()> Else);
  /// while (Cond(vars)) vars = Body(vars)
  Vals whileLoop(llvm::ArrayRef<Val> Init,
                 llvm::function_ref<Val(llvm::ArrayRef<Val>)> Cond,
                 llvm::function_ref<Vals(llvm::ArrayRef<Val>)> Body);

  /// Call of an LLVM intrinsic by name.
  Val intrinsic(llvm::StringRef Name, mlir::Type Result,
                llvm::ArrayRef<Val> Args);

  /// The same without a result.
  void perform(llvm::StringRef Name, llvm::ArrayRef<Val> Args);

  /// `Then` in the lanes of the pattern `Bits` (lane I: bit I), else zero; as
  /// one masked instruction with the one that makes `Then`, where there is one.
  Val keepLanes(uint32_t Bits, Val Then);

  Val wrap(mlir::Value V) { return Val(V, this); }

private:
  Val stepI64(int64_t Offset);
  Val stepRow(int64_t Offset, Val Row);
  Val constantArray(mlir::DenseElementsAttr Elements);

  mlir::ModuleOp Module;
  mlir::OpBuilder B;
  mlir::Location Loc;
  Isa Level;
  num::DotOrder Order;
  Tuning Choices;  // all made
  MemoryRole Role; // of the accesses that are being written
  Vals Params, Operands;
  mlir::Block *Entry = nullptr;  // of the function
  std::map<uint32_t, Val> Masks; // of keepLanes, in the function
  unsigned NumConstants = 0;
};

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELBUILDER_H
