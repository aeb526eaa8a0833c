// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Safetensors.h. JSON exceptions do not leave this file: the parser is run
// without them, and fields are type-checked before they are read.

#include "compiler/import/Safetensors.h"

#include "compiler/import/JsonText.h"
#include "nlohmann/json.hpp"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using nlohmann::json;

namespace dsv4 {

namespace {

/// The official library's own limit.
constexpr uint64_t MaxHeaderBytes = 100000000;

template <class... Ts>
Error fail(StringRef Path, const char *Format, Ts &&...Values) {
  std::string Text = llvm::formatv(Format, std::forward<Ts>(Values)...).str();
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 Path.str() + ": " + Text);
}

DType dtypeOf(StringRef Name) {
  return llvm::StringSwitch<DType>(Name)
      .Case("BF16", DType::BF16)
      .Case("F32", DType::F32)
      .Case("F8_E4M3", DType::F8_E4M3)
      .Case("F8_E8M0", DType::F8_E8M0)
      .Cases({"I8", "U8"}, DType::I8)
      .Case("I32", DType::I32)
      .Case("I64", DType::I64)
      .Default(DType::Other);
}

/// A non-negative integer that fits, or -1.
int64_t smallInteger(const json &Value) {
  if (!Value.is_number_integer())
    return -1;
  if (Value.is_number_unsigned())
    return Value.get<uint64_t>() > INT64_MAX ? -1 : Value.get<int64_t>();
  return Value.get<int64_t>();
}

/// Parses a header and refuses duplicate names, which a JSON object would
/// silently merge.
Expected<json> parseUnique(StringRef Path, StringRef Text) {
  llvm::StringSet<> Names;
  std::string Duplicate;
  auto Watch = [&](int Depth, json::parse_event_t Event, json &Parsed) {
    if (Depth == 1 && Event == json::parse_event_t::key &&
        !Names.insert(Parsed.get_ref<const std::string &>()).second &&
        Duplicate.empty())
      Duplicate = Parsed.get<std::string>();
    return true;
  };
  json Header = json::parse(Text.begin(), Text.end(), Watch,
                            /*allow_exceptions=*/false);
  if (Header.is_discarded() || !Header.is_object())
    return fail(Path, "expected a JSON object as header; the file is damaged, "
                      "fetch it again");
  if (!Duplicate.empty())
    return fail(Path, "tensor {0} appears twice in the header", Duplicate);
  return Header;
}

/// Product of the shape times element bytes, or nothing on overflow.
std::optional<uint64_t> bytesOfShape(const TensorInfo &T) {
  uint64_t Bytes = dtypeBytes(T.Type);
  for (int64_t Dim : T.Shape)
    if (Dim < 0 || __builtin_mul_overflow(Bytes, uint64_t(Dim), &Bytes))
      return std::nullopt;
  return Bytes;
}

Error readShape(StringRef Path, const json &Entry, TensorInfo &T) {
  auto Shape = Entry.find("shape");
  if (Shape == Entry.end() || !Shape->is_array() || Shape->size() > 8)
    return fail(Path, "tensor {0}: expected a shape of at most 8 dimensions",
                T.Name);
  for (const json &Dim : *Shape) {
    T.Shape.push_back(smallInteger(Dim));
    if (T.Shape.back() < 0)
      return fail(Path, "tensor {0}: expected non-negative dimensions", T.Name);
  }
  return Error::success();
}

Expected<TensorInfo> readTensor(StringRef Path, const std::string &Name,
                                const json &Entry) {
  TensorInfo T;
  T.Name = Name;
  if (!Entry.is_object() || !Entry.contains("dtype") ||
      !Entry["dtype"].is_string())
    return fail(Path, "tensor {0}: expected dtype, shape and data_offsets",
                Name);
  T.Type = dtypeOf(Entry["dtype"].get_ref<const std::string &>());
  if (T.Type == DType::Other)
    return fail(Path, "tensor {0}: unsupported dtype {1}", Name,
                Entry["dtype"].get<std::string>());
  if (Error E = readShape(Path, Entry, T))
    return E;
  auto Offsets = Entry.find("data_offsets");
  if (Offsets == Entry.end() || !Offsets->is_array() || Offsets->size() != 2)
    return fail(Path, "tensor {0}: expected two data_offsets", Name);
  int64_t Begin = smallInteger((*Offsets)[0]),
          End = smallInteger((*Offsets)[1]);
  if (Begin < 0 || End < Begin)
    return fail(Path, "tensor {0}: expected data_offsets begin <= end, got {1}",
                Name, jsonText(*Offsets));
  T.Begin = Begin;
  T.End = End;
  std::optional<uint64_t> Bytes = bytesOfShape(T);
  if (!Bytes || *Bytes != T.bytes())
    return fail(Path, "tensor {0}: shape {1} of {2} does not fit its {3} bytes",
                Name, shapeText(T.Shape), dtypeName(T.Type), T.bytes());
  return T;
}

} // namespace

StringRef dtypeName(DType Type) {
  static constexpr const char *Names[] = {"BF16", "F32", "F8_E4M3", "F8_E8M0",
                                          "I8",   "I32", "I64",     "other"};
  return Names[int(Type)];
}

int64_t dtypeBytes(DType Type) {
  static constexpr int64_t Bytes[] = {2, 4, 1, 1, 1, 4, 8, 0};
  return Bytes[int(Type)];
}

std::string shapeText(llvm::ArrayRef<int64_t> Shape) {
  std::string Text = "[";
  for (size_t I = 0; I < Shape.size(); ++I)
    Text += (I ? ", " : "") + std::to_string(Shape[I]);
  return Text + "]";
}

SafetensorsFile &SafetensorsFile::operator=(SafetensorsFile &&Other) {
  std::swap(Path, Other.Path);
  std::swap(Mapping, Other.Mapping);
  std::swap(Data, Other.Data);
  std::swap(Size, Other.Size);
  std::swap(Tensors, Other.Tensors);
  return *this;
}

SafetensorsFile::~SafetensorsFile() {
  if (Mapping)
    munmap(const_cast<uint8_t *>(Mapping), Size);
}

Error SafetensorsFile::map() {
  int File = ::open(Path.c_str(), O_RDONLY | O_CLOEXEC);
  if (File < 0)
    return fail(Path, "cannot be opened: {0}", strerror(errno));
  struct stat Status;
  bool Regular = fstat(File, &Status) == 0 && S_ISREG(Status.st_mode);
  Size = Regular ? Status.st_size : 0;
  void *Address = Size < 8
                      ? MAP_FAILED
                      : mmap(nullptr, Size, PROT_READ, MAP_SHARED, File, 0);
  int Cause = errno;
  close(File);
  if (Size < 8)
    return fail(Path, "expected a safetensors file, found {0} bytes", Size);
  if (Address == MAP_FAILED)
    return fail(Path, "cannot be mapped: {0}", strerror(Cause));
  Mapping = static_cast<const uint8_t *>(Address);
  return Error::success();
}

Error SafetensorsFile::parseHeader() {
  uint64_t Length = 0;
  memcpy(&Length, Mapping, 8);
  if (Length > MaxHeaderBytes || Length > Size - 8)
    return fail(Path,
                "header length {0} is beyond the file's {1} bytes; the file is "
                "damaged or incomplete, fetch it again",
                Length, Size);
  StringRef Text(reinterpret_cast<const char *>(Mapping) + 8, Length);
  Expected<json> Header = parseUnique(Path, Text);
  if (!Header)
    return Header.takeError();
  Data = Mapping + 8 + Length;
  for (const auto &[Name, Entry] : Header->items()) {
    if (Name == "__metadata__")
      continue;
    Expected<TensorInfo> T = readTensor(Path, Name, Entry);
    if (!T)
      return T.takeError();
    Tensors.push_back(std::move(*T));
  }
  return checkLayout(Size - 8 - Length);
}

Error SafetensorsFile::checkLayout(uint64_t DataBytes) {
  std::sort(Tensors.begin(), Tensors.end(),
            [](const TensorInfo &A, const TensorInfo &B) {
              return std::tie(A.Begin, A.End, A.Name) <
                     std::tie(B.Begin, B.End, B.Name);
            });
  for (const TensorInfo &T : Tensors)
    if (T.End > DataBytes)
      return fail(Path,
                  "tensor {0} ends at byte {1} of {2}; the file is incomplete, "
                  "fetch it again",
                  T.Name, T.End, DataBytes);
  uint64_t At = 0;
  const TensorInfo *Before = nullptr;
  for (const TensorInfo &T : Tensors) {
    if (T.Begin < At)
      return fail(Path, "tensors {0} and {1} overlap", Before->Name, T.Name);
    if (T.Begin > At)
      return fail(Path, "{0} bytes before tensor {1} belong to no tensor",
                  T.Begin - At, T.Name);
    At = T.End;
    Before = &T;
  }
  if (At != DataBytes)
    return fail(Path, "expected {0} bytes of data, found {1}", At, DataBytes);
  return Error::success();
}

Expected<SafetensorsFile> SafetensorsFile::open(StringRef Path) {
  SafetensorsFile File;
  File.Path = Path.str();
  if (Error E = File.map())
    return E;
  if (Error E = File.parseHeader())
    return E;
  return File;
}

Error writeSafetensors(StringRef Path, llvm::ArrayRef<TensorToWrite> Tensors) {
  std::string Header = "{";
  uint64_t At = 0;
  for (const TensorToWrite &T : Tensors) {
    std::string Shape;
    for (int64_t Dim : T.Shape)
      Shape += (Shape.empty() ? "" : ",") + std::to_string(Dim);
    Header += (At || Header.size() > 1 ? "," : "") + json(T.Name).dump() +
              ":{\"dtype\":\"" + dtypeName(T.Type).str() + "\",\"shape\":[" +
              Shape + "],\"data_offsets\":[" + std::to_string(At) + "," +
              std::to_string(At + T.Bytes.size()) + "]}";
    At += T.Bytes.size();
  }
  Header += "}";
  Header.append((8 - Header.size() % 8) % 8, ' ');
  std::string Temporary = Path.str() + ".part";
  FILE *File = fopen(Temporary.c_str(), "wb");
  if (!File)
    return fail(Path, "cannot be written: {0}", strerror(errno));
  uint64_t Length = Header.size();
  bool Ok = fwrite(&Length, 8, 1, File) == 1 &&
            fwrite(Header.data(), Header.size(), 1, File) == 1;
  for (const TensorToWrite &T : Tensors)
    Ok = Ok && (T.Bytes.empty() ||
                fwrite(T.Bytes.data(), T.Bytes.size(), 1, File) == 1);
  Ok = (fclose(File) == 0) && Ok;
  if (Ok && rename(Temporary.c_str(), Path.str().c_str()) == 0)
    return Error::success();
  int Cause = errno;
  remove(Temporary.c_str());
  return fail(Path, "cannot be written: {0}", strerror(Cause));
}

} // namespace dsv4
