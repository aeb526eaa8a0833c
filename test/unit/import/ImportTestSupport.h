// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the import tests share: a temporary folder, files written byte by byte,
// and a synthetic checkpoint of the smallest legal dimensions, every tensor of
// which a test can change before it is written.

#ifndef DSV4_TEST_UNIT_IMPORT_IMPORTTESTSUPPORT_H
#define DSV4_TEST_UNIT_IMPORT_IMPORTTESTSUPPORT_H

#include "compiler/import/Checkpoint.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace dsv4::test {

/// A folder that is removed at the end.
class TempFolder {
public:
  TempFolder();
  ~TempFolder();
  std::string path(const std::string &Name) const { return Root + "/" + Name; }
  const std::string &root() const { return Root; }

private:
  std::string Root;
};

void writeFile(const std::string &Path, const std::string &Bytes);
std::string readFile(const std::string &Path);
/// Text of test/data/config/NAME.
std::string officialConfig(const std::string &Name);
/// Replaces the one occurrence of From; the test fails where there is none.
std::string replaced(std::string Text, const std::string &From,
                     const std::string &To);

/// The message of an error, "" for success; consumes it.
std::string messageOf(llvm::Error E);
template <class T> std::string messageOf(llvm::Expected<T> &&Value) {
  return Value ? std::string() : messageOf(Value.takeError());
}

/// A safetensors file: header length, header, data.
std::string shard(const std::string &Header, const std::string &Data);

struct FakeTensor {
  std::string Name;
  std::vector<int64_t> Shape;
  DType Type;
  std::string Bytes;
  std::string Shard;
};

/// A two-layer checkpoint: ratio 0 with hashed routing, ratio 4 with a learned
/// router. Each layer has its shard, the rest is in model-0.safetensors.
struct FakeCheckpoint {
  explicit FakeCheckpoint(ExpertFormat Experts = ExpertFormat::Fp4);

  FakeTensor &tensor(const std::string &Name);
  void remove(const std::string &Name);
  void add(const std::string &Name, std::vector<int64_t> Shape, DType Type,
           const std::string &Shard = "model-0.safetensors");
  /// Writes config, shards and index; Index overrides single entries.
  void write(const TempFolder &To) const;
  /// Writes and opens it.
  std::string openError() const;

  std::string Config;
  std::vector<FakeTensor> Tensors;
  std::map<std::string, std::string> Index;
  bool WithIndex = true;
};

} // namespace dsv4::test

#endif // DSV4_TEST_UNIT_IMPORT_IMPORTTESTSUPPORT_H
