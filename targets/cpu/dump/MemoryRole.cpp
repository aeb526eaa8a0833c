// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Roles as the names of alias scopes: "weights:4@direct_fp4_k4096_x1_t4".

#include "targets/cpu/dump/MemoryRole.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include "llvm/CodeGen/MachineMemOperand.h"
#include "llvm/IR/Metadata.h"

using namespace mlir;

namespace dsv4::cpu {

static constexpr llvm::StringLiteral DomainName = "dsv4.roles";

ArrayAttr scopesOf(MLIRContext *Context, const MemoryRole &Role) {
  std::string Name =
      Role.what + ":" + std::to_string(Role.bits) + "@" + Role.function;
  // Named by strings, or two compilations would differ in their numbers.
  auto Domain = LLVM::AliasScopeDomainAttr::get(
      Context, StringAttr::get(Context, DomainName), StringAttr());
  auto Scope = LLVM::AliasScopeAttr::get(
      Context, StringAttr::get(Context, Name), Domain, StringAttr());
  return ArrayAttr::get(Context, {Scope});
}

llvm::SmallVector<MemoryRole, 1>
rolesOf(const llvm::MachineMemOperand &Access) {
  llvm::SmallVector<MemoryRole, 1> Roles;
  const llvm::MDNode *Scopes = Access.getAAInfo().Scope;
  if (!Scopes)
    return Roles;
  for (const llvm::MDOperand &Scope : Scopes->operands()) {
    auto *Node = dyn_cast_or_null<llvm::MDNode>(Scope.get());
    auto *Name = Node && Node->getNumOperands()
                     ? dyn_cast<llvm::MDString>(Node->getOperand(0))
                     : nullptr;
    if (!Name)
      continue;
    auto [Role, Function] = Name->getString().split('@');
    auto [What, Bits] = Role.split(':');
    MemoryRole &Out = Roles.emplace_back();
    Out.what = What.str();
    Out.function = Function.str();
    Bits.getAsInteger(10, Out.bits);
  }
  return Roles;
}

} // namespace dsv4::cpu
