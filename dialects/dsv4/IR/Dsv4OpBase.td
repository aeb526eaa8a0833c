// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Base class and operand kinds of dsv4 ops.

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4OPBASE_TD
#define DSV4_DIALECTS_DSV4_IR_DSV4OPBASE_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialects/dsv4/IR/Dsv4Attrs.td"

class Dsv4_Op<string mnemonic, list<Trait> traits = []>
    : Op<Dsv4_Dialect, mnemonic, traits> {
  let assemblyFormat =
    "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

// An operation on tensors alone.
class Dsv4_PureOp<string mnemonic, list<Trait> traits = []>
    : Dsv4_Op<mnemonic, traits # [Pure]>;

def Dsv4_Weight : Type<CPred<"::llvm::isa<::dsv4::qfmt::WeightType>($_self)">,
                       "stored weight", "::dsv4::qfmt::WeightType">;
def Dsv4_Tensor : RankedTensorOf<[BF16, F32, I32]>;
def Dsv4_Bf16 : RankedTensorOf<[BF16]>;
def Dsv4_F32 : RankedTensorOf<[F32]>;
def Dsv4_Ids : RankedTensorOf<[I32]>;

class ReadState<string what> : Arg<Dsv4_State, what, [MemRead]>;
class WriteState<string what> : Arg<Dsv4_State, what, [MemRead, MemWrite]>;
class MaybeState<string what> : Arg<Optional<Dsv4_State>, what, [MemRead]>;

#endif
