// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random damage, from fixed seeds, to a shard's header, config.json and the
// index: opening ends with success or an error, never otherwise. Run under
// sanitizers this is the fuzz test of the importer.

#include "test/unit/import/ImportTestSupport.h"

#include <gtest/gtest.h>
#include <random>

using namespace dsv4;
using namespace dsv4::test;

namespace {

/// Changes, inserts, removes or repeats a few bytes within the first Limit.
std::string mutated(std::string Bytes, size_t Limit, std::mt19937 &Random) {
  static const char Interesting[] = "{}[]\",:0123456789-.eE\\ \x00\x7f\xff";
  for (unsigned Times = 1 + Random() % 4; Times && !Bytes.empty(); --Times) {
    size_t At = Random() % std::min(Limit, Bytes.size());
    char Byte = Random() % 2 ? Interesting[Random() % (sizeof(Interesting) - 1)]
                             : char(Random());
    switch (Random() % 5) {
    case 0:
      Bytes[At] ^= 1 << Random() % 8;
      break;
    case 1:
      Bytes[At] = Byte;
      break;
    case 2:
      Bytes.insert(At, 1, Byte);
      break;
    case 3:
      Bytes.erase(At, 1 + Random() % 8);
      break;
    default:
      Bytes.insert(At, Bytes.substr(At, 1 + Random() % 32));
    }
  }
  return Bytes;
}

struct Counts {
  int Opened = 0, Refused = 0;
};

/// Opens the checkpoint with damage in one file, Rounds times.
Counts openDamaged(const std::string &Name, size_t Limit, int Rounds) {
  FakeCheckpoint Fake;
  TempFolder Folder;
  Fake.write(Folder);
  std::string Sound = readFile(Folder.path(Name));
  Counts Result;
  for (int Seed = 0; Seed < Rounds; ++Seed) {
    std::mt19937 Random(Seed);
    writeFile(Folder.path(Name), mutated(Sound, Limit, Random));
    auto C = Checkpoint::open(Folder.root());
    if (C) {
      ++Result.Opened;
      llvm::consumeError(C->checkNumbers([](auto, auto) { return true; }));
    } else {
      ++Result.Refused;
      EXPECT_NE(messageOf(C.takeError()).find(Folder.root()),
                std::string::npos);
    }
  }
  return Result;
}

TEST(Mutation, ShardHeader) {
  Counts Seen = openDamaged("model-0.safetensors", 500, 3000);
  EXPECT_GT(Seen.Refused, 2500);
  EXPECT_GT(Seen.Opened, 0);
}

TEST(Mutation, ShardLength) {
  Counts Seen = openDamaged("model-0.safetensors", 8, 300);
  EXPECT_GT(Seen.Refused, 290);
}

TEST(Mutation, Config) {
  Counts Seen = openDamaged("config.json", 1 << 20, 3000);
  EXPECT_GT(Seen.Refused, 1000);
  EXPECT_GT(Seen.Opened, 30);
}

TEST(Mutation, Index) {
  Counts Seen = openDamaged("model.safetensors.index.json", 1 << 20, 2000);
  EXPECT_GT(Seen.Refused, 1000);
}

} // namespace
