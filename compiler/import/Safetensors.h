// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads safetensors files: 8 bytes of header length, a JSON header, data. The
// file is mapped, never read whole, and hostile until checked: the header is
// bounded before it is parsed, and every tensor's bytes are proven to lie
// inside the file, without overlap or gap, and to match shape and dtype.

#ifndef DSV4_COMPILER_IMPORT_SAFETENSORS_H
#define DSV4_COMPILER_IMPORT_SAFETENSORS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace dsv4 {

enum class DType { BF16, F32, F8_E4M3, F8_E8M0, I8, I32, I64, Other };

/// "BF16" and so on; "other" for dtypes that no DeepSeek V4 tensor has.
llvm::StringRef dtypeName(DType Type);
/// Bytes of one element; 0 for Other.
int64_t dtypeBytes(DType Type);

/// One tensor of a file. Bytes lie at [Begin, End) of the data part.
struct TensorInfo {
  std::string Name;
  DType Type = DType::Other;
  std::vector<int64_t> Shape;
  uint64_t Begin = 0, End = 0;

  uint64_t bytes() const { return End - Begin; }
};

/// "[1024, 4096]"
std::string shapeText(llvm::ArrayRef<int64_t> Shape);

class SafetensorsFile {
public:
  /// Opens, maps and validates. Errors name the file, the tensor, what was
  /// expected and found.
  static llvm::Expected<SafetensorsFile> open(llvm::StringRef Path);

  SafetensorsFile(SafetensorsFile &&Other) { *this = std::move(Other); }
  SafetensorsFile &operator=(SafetensorsFile &&Other);
  ~SafetensorsFile();

  llvm::StringRef path() const { return Path; }
  /// In order of their bytes.
  llvm::ArrayRef<TensorInfo> tensors() const { return Tensors; }
  llvm::ArrayRef<uint8_t> bytes(const TensorInfo &Tensor) const {
    return {Data + Tensor.Begin, size_t(Tensor.bytes())};
  }
  uint64_t fileBytes() const { return Size; }

private:
  SafetensorsFile() = default;
  llvm::Error map();
  llvm::Error parseHeader();
  llvm::Error checkLayout(uint64_t DataBytes);

  std::string Path;
  const uint8_t *Mapping = nullptr, *Data = nullptr;
  uint64_t Size = 0;
  std::vector<TensorInfo> Tensors;
};

/// One tensor to write; Bytes are little-endian elements in row-major order.
struct TensorToWrite {
  std::string Name;
  DType Type;
  std::vector<int64_t> Shape;
  llvm::ArrayRef<uint8_t> Bytes;
};

/// Writes a file in the given order through a temporary name.
llvm::Error writeSafetensors(llvm::StringRef Path,
                             llvm::ArrayRef<TensorToWrite> Tensors);

} // namespace dsv4

#endif // DSV4_COMPILER_IMPORT_SAFETENSORS_H
