// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See ConstantTables.h.

#include "compiler/link/ConstantTables.h"

#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/GlobalVariable.h"

using llvm::Constant;

namespace dsv4 {

void ConstantTables::checkSize(Constant *value, uint64_t expected,
                               llvm::StringRef what) {
  uint64_t size = module.getDataLayout().getTypeAllocSize(value->getType());
  if (size != expected)
    fail("the emitted " + what + " has " + llvm::Twine(size) +
         " bytes, runtime/abi/program.h says " + llvm::Twine(expected));
}

Constant *ConstantTables::global(llvm::StringRef name, Constant *value,
                                 unsigned align) {
  auto *variable =
      new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                               llvm::GlobalValue::PrivateLinkage, value, name);
  variable->setAlignment(llvm::Align(align));
  return variable;
}

Constant *ConstantTables::bytes(llvm::StringRef name, llvm::StringRef data,
                                bool addNull) {
  Constant *value = llvm::ConstantDataArray::getString(context, data, addNull);
  return global(name, value, addNull ? 1 : 64);
}

Constant *ConstantTables::array(llvm::StringRef name,
                                llvm::ArrayRef<Constant *> rows,
                                uint64_t rowBytes) {
  if (rows.empty())
    return null();
  checkSize(rows[0], rowBytes, name);
  auto *type = llvm::ArrayType::get(rows[0]->getType(), rows.size());
  return global(name, llvm::ConstantArray::get(type, rows), 64);
}

} // namespace dsv4
