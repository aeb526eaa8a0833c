// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Base classes of kern ops and shorthands for their assembly formats.

#ifndef DSV4_DIALECTS_KERN_IR_KERNOPBASE_TD
#define DSV4_DIALECTS_KERN_IR_KERNOPBASE_TD

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialects/kern/IR/KernTypes.td"
include "dialects/kern/IR/KernInterfaces.td"

class Kern_Op<string mnemonic, list<Trait> traits = []>
    : Op<Kern_Dialect, mnemonic, traits>;

// Operand declarations: memory effects say who reads and who writes.
class ReadBuffer<string what> : Arg<Kern_Buffer, what, [MemRead]>;
class WriteBuffer<string what> : Arg<Kern_Buffer, what, [MemWrite]>;
class ReadWeight<string what> : Arg<Kern_Weight, what, [MemRead]>;
class ReadState<string what> : Arg<Kern_State, what, [MemRead]>;
class WriteState<string what> : Arg<Kern_State, what, [MemWrite]>;
class MaybeRead<string what> : Arg<Optional<Kern_Buffer>, what, [MemRead]>;
class MaybeWrite<string what> : Arg<Optional<Kern_Buffer>, what, [MemWrite]>;
class MaybeWeight<string what> : Arg<Optional<Kern_Weight>, what, [MemRead]>;
class MaybeState<string what> : Arg<Optional<Kern_State>, what, [MemRead]>;

// `name(%value : type)`, mandatory and optional. Types are written in full in
// both, because an optional type has no short form.
class In<string n> {
  string f = " `" # n # "` `(` $" # n # " `:` qualified(type($" # n # ")) `)`";
}
class Opt<string n> {
  string f = " (`" # n # "` `(` $" # n # "^ `:` type($" # n # ") `)`)?";
}

// A phase. The first argument is its name; `schedule` is set by
// kern-schedule-phases and `scratch` by a backend that needs other scratch
// than the interface's estimate.
class Kern_PhaseOp<string mnemonic, dag args, list<Trait> traits = [],
                   list<string> overrides = []>
    : Kern_Op<mnemonic, traits # [
        DeclareOpInterfaceMethods<KernPhaseOpInterface,
                                  ["getItems"] # overrides>]> {
  let arguments = !con((ins StrAttr:$phase), args,
    (ins OptionalAttr<Kern_AffineAttr>:$scratch,
         OptionalAttr<Kern_ScheduleAttr>:$schedule));
  let hasVerifier = 1;
}

#endif
