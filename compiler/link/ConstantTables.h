// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tables of the ABI as LLVM constants of one module. Sizes are checked against
// the C structs, so that a change of a header without a change of its emitter
// is an error.

#ifndef DSV4_COMPILER_LINK_CONSTANTTABLES_H
#define DSV4_COMPILER_LINK_CONSTANTTABLES_H

#include "dialects/kern/IR/Affine.h"

#include "llvm/ADT/Twine.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"

#include <string>

namespace dsv4 {

class ConstantTables {
public:
  explicit ConstantTables(llvm::Module &module)
      : module(module), context(module.getContext()) {}

  llvm::Constant *i32(int64_t v) {
    return llvm::ConstantInt::get(llvm::Type::getInt32Ty(context), v, true);
  }
  llvm::Constant *i64(int64_t v) {
    return llvm::ConstantInt::get(llvm::Type::getInt64Ty(context), v, true);
  }
  llvm::Constant *f32(float v) {
    return llvm::ConstantFP::get(llvm::Type::getFloatTy(context), v);
  }
  llvm::Constant *null() {
    return llvm::ConstantPointerNull::get(
        llvm::PointerType::getUnqual(context));
  }
  llvm::Constant *record(llvm::ArrayRef<llvm::Constant *> fields) {
    return llvm::ConstantStruct::getAnon(context, fields);
  }
  llvm::Constant *affine(kern::Affine a) {
    return record({i64(a.fixed), i64(a.perBlock)});
  }

  /// A private constant with its own symbol.
  llvm::Constant *global(llvm::StringRef name, llvm::Constant *value,
                         unsigned align);
  llvm::Constant *bytes(llvm::StringRef name, llvm::StringRef data,
                        bool addNull);
  llvm::Constant *text(llvm::StringRef data) {
    return bytes("text", data, true);
  }
  /// Rows of equal type, checked against the size of the C struct; null where
  /// there are none.
  llvm::Constant *array(llvm::StringRef name,
                        llvm::ArrayRef<llvm::Constant *> rows,
                        uint64_t rowBytes);
  llvm::Constant *blob(llvm::StringRef name, llvm::StringRef data) {
    return record({data.empty() ? null() : bytes(name, data, false),
                   i64(int64_t(data.size()))});
  }
  void checkSize(llvm::Constant *value, uint64_t expected,
                 llvm::StringRef what);

protected:
  /// The first problem is kept.
  void fail(const llvm::Twine &what) {
    if (problem.empty())
      problem = what.str();
  }

  llvm::Module &module;
  llvm::LLVMContext &context;
  std::string problem;
};

} // namespace dsv4

#endif // DSV4_COMPILER_LINK_CONSTANTTABLES_H
