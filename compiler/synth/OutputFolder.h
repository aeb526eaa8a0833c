// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The directory of a synthetic checkpoint while it is written: what was begun
// there stays only when all of it is complete. An earlier synthetic checkpoint
// gives way when that is asked for; other weights never do.

#ifndef DSV4_COMPILER_SYNTH_OUTPUTFOLDER_H
#define DSV4_COMPILER_SYNTH_OUTPUTFOLDER_H

#include "targets/common/AtomicFile.h"

#include <vector>

namespace dsv4 {

inline constexpr const char *IndexName = "model.safetensors.index.json";
/// In the index's metadata: the mark of a synthetic checkpoint.
inline constexpr const char *SeedKey = "dsv4_synth_seed";

class OutputFolder {
public:
  explicit OutputFolder(llvm::StringRef Path) : Path(Path.str()) {}
  OutputFolder(const OutputFolder &) = delete;
  /// Removes what was begun unless keep() was called.
  ~OutputFolder();

  /// Makes the directory, or takes an empty one; with `Force` one with files
  /// too. `ConfigPath` must not lie in it. Removes nothing.
  llvm::Error open(bool Force, llvm::StringRef ConfigPath);

  /// Checks that `Bytes` fit on the disk, then removes the files of the earlier
  /// checkpoint.
  llvm::Error makeRoom(uint64_t Bytes);

  llvm::Expected<AtomicFile> begin(llvm::StringRef Name);
  llvm::Error finish(AtomicFile &File);
  /// A small file in one go.
  llvm::Error write(llvm::StringRef Name, llvm::StringRef Text);

  /// Everything is there.
  void keep() { Complete = true; }

private:
  llvm::Error findEarlier();

  std::string Path;
  std::vector<std::string> Earlier, Written; // paths
  uint64_t EarlierBytes = 0;
  bool Made = false, Complete = false;
};

} // namespace dsv4

#endif // DSV4_COMPILER_SYNTH_OUTPUTFOLDER_H
