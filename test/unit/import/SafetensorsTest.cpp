// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every way in which a safetensors file can be malformed has its own message,
// and what is written is read back.

#include "test/unit/import/ImportTestSupport.h"

#include "llvm/Support/FileSystem.h"
#include <gmock/gmock.h>

using namespace dsv4;
using namespace dsv4::test;
using testing::HasSubstr;

namespace {

std::string openBytes(const std::string &Bytes) {
  TempFolder Folder;
  std::string Path = Folder.path("x.safetensors");
  writeFile(Path, Bytes);
  std::string Message = messageOf(SafetensorsFile::open(Path));
  if (!Message.empty())
    EXPECT_THAT(Message, HasSubstr(Path));
  return Message;
}

/// {"a": {dtype, shape, data_offsets}} over Data bytes.
std::string openOne(const std::string &DType, const std::string &Shape,
                    const std::string &Offsets, size_t Data) {
  return openBytes(shard("{\"a\":{\"dtype\":" + DType + ",\"shape\":" + Shape +
                             ",\"data_offsets\":" + Offsets + "}}",
                         std::string(Data, 'x')));
}

/// Two I8 vectors at the given offsets over Data bytes.
std::string openTwo(int A0, int A1, int B0, int B1, size_t Data) {
  auto Entry = [](const char *Name, int Begin, int End) {
    return "\"" + std::string(Name) + "\":{\"dtype\":\"I8\",\"shape\":[" +
           std::to_string(End - Begin) + "],\"data_offsets\":[" +
           std::to_string(Begin) + "," + std::to_string(End) + "]}";
  };
  return openBytes(
      shard("{" + Entry("a", A0, A1) + "," + Entry("b", B0, B1) + "}",
            std::string(Data, 'x')));
}

TEST(Safetensors, AcceptsASoundFile) {
  EXPECT_EQ(openOne("\"F32\"", "[2,3]", "[0,24]", 24), "");
  EXPECT_EQ(openTwo(4, 8, 0, 4, 8), "");
  EXPECT_EQ(openBytes(shard("{\"__metadata__\":{\"format\":\"pt\"}}", "")), "");
  EXPECT_EQ(openOne("\"BF16\"", "[]", "[0,2]", 2), "");
  EXPECT_EQ(openOne("\"BF16\"", "[0,7]", "[0,0]", 0), "");
}

TEST(Safetensors, RefusesWhatIsNoFile) {
  TempFolder Folder;
  EXPECT_THAT(messageOf(SafetensorsFile::open(Folder.path("none"))),
              HasSubstr("cannot be opened"));
  EXPECT_THAT(messageOf(SafetensorsFile::open(Folder.root())),
              HasSubstr("expected a safetensors file"));
  EXPECT_THAT(openBytes(""), HasSubstr("found 0 bytes"));
  EXPECT_THAT(openBytes("1234567"), HasSubstr("found 7 bytes"));
}

TEST(Safetensors, RefusesHeaderLengths) {
  for (uint64_t Length : {uint64_t(1) << 63, ~uint64_t(0), uint64_t(3),
                          uint64_t(100000001), uint64_t(0) - 8}) {
    std::string Bytes(reinterpret_cast<char *>(&Length), 8);
    EXPECT_THAT(openBytes(Bytes + "{}"),
                HasSubstr("header length " + std::to_string(Length)));
  }
}

TEST(Safetensors, RefusesWhatIsNoObject) {
  for (const char *Header : {"", "{", "[]", "7", "null", "{\"a\":}", "{}}",
                             "\xff\xfe", "{\"\xff\":1}"})
    EXPECT_THAT(openBytes(shard(Header, "")), HasSubstr("JSON object"))
        << Header;
}

TEST(Safetensors, RefusesDuplicateNames) {
  std::string Entry =
      "\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}";
  EXPECT_THAT(openBytes(shard("{" + Entry + "," + Entry + "}", "x")),
              HasSubstr("tensor a appears twice"));
}

TEST(Safetensors, RefusesEntries) {
  EXPECT_THAT(openBytes(shard("{\"a\":7}", "")), HasSubstr("expected dtype"));
  EXPECT_THAT(openOne("7", "[1]", "[0,1]", 1), HasSubstr("expected dtype"));
  EXPECT_THAT(openOne("\"F16\"", "[1]", "[0,2]", 2),
              HasSubstr("unsupported dtype F16"));
  for (const char *Shape : {"7", "null", "[1,1,1,1,1,1,1,1,1]"})
    EXPECT_THAT(openOne("\"I8\"", Shape, "[0,1]", 1),
                HasSubstr("at most 8 dimensions"));
  for (const char *Shape :
       {"[-1]", "[1.5]", "[\"1\"]", "[[1]]", "[9223372036854775808]", "[1e30]"})
    EXPECT_THAT(openOne("\"I8\"", Shape, "[0,1]", 1),
                HasSubstr("non-negative dimensions"));
  for (const char *Shape :
       {"[9223372036854775807,9223372036854775807]", "[4294967296,4294967296]",
        "[9223372036854775807]", "[2]", "[0]"})
    EXPECT_THAT(openOne("\"F32\"", Shape, "[0,4]", 4),
                HasSubstr("does not fit its 4 bytes"));
  for (const char *Offsets : {"[1,0]", "[-1,0]", "[0.0,1]", "[null,[[1]]]"})
    EXPECT_THAT(openOne("\"I8\"", "[1]", Offsets, 1),
                HasSubstr("begin <= end"));
  for (const char *Offsets : {"[0]", "[0,1,2]", "7", "{}"})
    EXPECT_THAT(openOne("\"I8\"", "[1]", Offsets, 1),
                HasSubstr("two data_offsets"));
}

TEST(Safetensors, RefusesLayouts) {
  EXPECT_EQ(openTwo(0, 4, 4, 8, 8), "");
  EXPECT_THAT(openTwo(0, 4, 4, 8, 7),
              HasSubstr("tensor b ends at byte 8 of 7"));
  EXPECT_THAT(openTwo(0, 4, 3, 8, 8), HasSubstr("tensors a and b overlap"));
  EXPECT_THAT(openTwo(0, 4, 0, 4, 4), HasSubstr("overlap"));
  EXPECT_THAT(openTwo(0, 4, 5, 8, 8), HasSubstr("1 bytes before tensor b"));
  EXPECT_THAT(openTwo(1, 4, 4, 8, 8), HasSubstr("1 bytes before tensor a"));
  EXPECT_THAT(openTwo(0, 4, 4, 8, 9), HasSubstr("expected 8 bytes of data"));
}

/// Messages quote values, and a value may be nested deeper than the stack.
TEST(Safetensors, SurvivesDeepNesting) {
  std::string Deep = std::string(500000, '[') + "1" + std::string(500000, ']');
  EXPECT_NE(openOne("\"I8\"", Deep, "[0,1]", 1), "");
  EXPECT_NE(openOne("\"I8\"", "[1]", "[" + Deep + ",1]", 1), "");
  EXPECT_NE(openOne(Deep, "[1]", "[0,1]", 1), "");
}

TEST(Safetensors, ReadsWhatItWrites) {
  TempFolder Folder;
  std::string Path = Folder.path("a.safetensors");
  std::vector<uint8_t> A = {1, 2, 3, 4, 5, 6, 7, 8}, B = {9};
  ASSERT_EQ(
      messageOf(writeSafetensors(Path, {{"x.\"y\"", DType::F32, {2, 1}, A},
                                        {"empty", DType::BF16, {0, 4}, {}},
                                        {"b", DType::F8_E8M0, {1}, B}})),
      "");
  auto File = SafetensorsFile::open(Path);
  ASSERT_TRUE(bool(File)) << messageOf(File.takeError());
  ASSERT_EQ(File->tensors().size(), 3u);
  const TensorInfo &First = File->tensors()[0];
  EXPECT_EQ(First.Name, "x.\"y\"");
  EXPECT_EQ(First.Type, DType::F32);
  EXPECT_EQ(shapeText(First.Shape), "[2, 1]");
  EXPECT_EQ(File->bytes(First).vec(), A);
  EXPECT_EQ(File->bytes(File->tensors()[2]).vec(), B);
  EXPECT_EQ(readFile(Path).size() % 8, 1u) << "data starts at 8 bytes";
  EXPECT_FALSE(llvm::sys::fs::exists(Path + ".part"));
}

TEST(Safetensors, LeavesNothingWhereItCannotWrite) {
  TempFolder Folder;
  EXPECT_THAT(messageOf(writeSafetensors(Folder.path("no/such/file"), {})),
              HasSubstr("cannot be written"));
  // A folder in the way of the final name.
  std::string Path = Folder.path("taken");
  ASSERT_FALSE(llvm::sys::fs::create_directory(Path));
  EXPECT_THAT(messageOf(writeSafetensors(Path, {})),
              HasSubstr("cannot be written"));
  EXPECT_FALSE(llvm::sys::fs::exists(Path + ".part"));
}

} // namespace
