// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading and printing of tuning profiles. The only file that includes toml++.

#include "targets/common/TuningProfile.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

using llvm::StringRef;

namespace dsv4 {

namespace {
/// Reads one table at a time; remembers the first error.
class Reader {
public:
  Reader(StringRef name) : name(name) {}

  using Field = llvm::function_ref<bool(StringRef key, const toml::node &)>;

  /// Gives every key to `field`, which returns false for those it does not
  /// know; `expected` lists what it knows.
  void table(const toml::node &node, StringRef where, StringRef expected,
             Field field) {
    const toml::table *keys = node.as_table();
    if (!keys)
      return fail(node, "expected " + where + " to be a table");
    for (const auto &[key, value] : *keys)
      if (!field(std::string_view(key), value))
        fail(key.source().begin.line, "unknown key '" + std::string(key) +
                                          "' in " + where + "; expected " +
                                          expected);
  }

  bool text(const toml::node &node, std::string &out) {
    if (auto value = node.value_exact<std::string>())
      out = *value;
    else
      fail(node, "expected a string");
    return true;
  }

  bool number(const toml::node &node, double &out) {
    auto value = node.value<double>();
    if (node.is_number() && value && *value >= 0 && *value < 1e6)
      out = *value;
    else
      fail(node, "expected a number from 0 to below 1000000");
    return true;
  }

  bool integer(const toml::node &node, int64_t &out, StringRef what,
               llvm::function_ref<bool(int64_t)> allowed) {
    auto value = node.value_exact<int64_t>();
    if (value && allowed(*value))
      out = *value;
    else
      fail(node, "expected " + what);
    return true;
  }

  void fail(const toml::node &node, const llvm::Twine &what) {
    fail(node.source().begin.line, what);
  }
  void fail(unsigned line, const llvm::Twine &what) {
    if (error.empty() || line < firstLine)
      error = (name + ":" + llvm::Twine(line) + ": " + what).str();
    firstLine = std::min(firstLine, line);
  }

  StringRef name;
  std::string error;
  unsigned firstLine = ~0u;
};
} // namespace

static bool readTile(Reader &reader, StringRef key, const toml::node &node,
                     Tuning &tuning, int format) {
  if (key == "prefetch_bytes")
    return reader.integer(node, tuning.prefetchBytes[format],
                          "-1 or a multiple of 64 up to 65536", [](int64_t v) {
                            return v == -1 ||
                                   (v > 0 && v <= 65536 && v % 64 == 0);
                          });
  return false;
}

static bool readTiles(Reader &reader, StringRef key, const toml::node &node,
                      Tuning &tuning) {
  for (int format = 0; format < 4; ++format) {
    if (key != TileFormatNames[format])
      continue;
    reader.table(node, "[tiles." + std::string(key) + "]", "prefetch_bytes",
                 [&](StringRef inner, const toml::node &value) {
                   return readTile(reader, inner, value, tuning, format);
                 });
    return true;
  }
  return false;
}

static bool readMachine(Reader &reader, StringRef key, const toml::node &node,
                        TuningProfile &profile) {
  if (key == "read_gbs_one_thread")
    return reader.number(node, profile.readGBs1);
  if (key == "read_gbs")
    return reader.number(node, profile.readGBs);
  if (key == "threads")
    return reader.integer(node, profile.threads, "1 to 4096",
                          [](int64_t v) { return v >= 1 && v <= 4096; });
  return false;
}

static bool readDot(Reader &reader, const toml::node &node, Tuning &tuning) {
  std::string text;
  if (reader.text(node, text); text == "bf16")
    tuning.dot = DotForm::Bf16;
  else if (text == "f32")
    tuning.dot = DotForm::F32;
  else
    reader.fail(node, "expected \"bf16\" or \"f32\"");
  return true;
}

static bool readGpu(Reader &reader, StringRef key, const toml::node &node,
                    GpuTuning &gpu) {
  if (key == "decode_blocks") {
    int64_t blocks = 0;
    reader.integer(node, blocks, "1 to 8",
                   [](int64_t v) { return v >= 1 && v <= 8; });
    gpu.decodeBlocks = blocks;
    return true;
  }
  std::optional<bool> *choice = key == "overlap" ? &gpu.overlap
                                : key == "tails" ? &gpu.tails
                                                 : nullptr;
  if (!choice)
    return false;
  *choice = node.value_exact<bool>();
  if (!*choice)
    reader.fail(node, "expected true or false");
  return true;
}

static bool readTop(Reader &reader, StringRef key, const toml::node &node,
                    TuningProfile &profile) {
  std::string *text = llvm::StringSwitch<std::string *>(key)
                          .Case("target", &profile.target)
                          .Case("date", &profile.date)
                          .Case("machine", &profile.machine)
                          .Case("command", &profile.command)
                          .Default(nullptr);
  if (text)
    return reader.text(node, *text);
  if (key == "measured") {
    reader.table(node, "[measured]", "read_gbs_one_thread, read_gbs or threads",
                 [&](StringRef inner, const toml::node &value) {
                   return readMachine(reader, inner, value, profile);
                 });
    return true;
  }
  if (key == "gpu") {
    reader.table(node, "[gpu]", "decode_blocks, overlap or tails",
                 [&](StringRef inner, const toml::node &value) {
                   return readGpu(reader, inner, value, profile.gpu);
                 });
    return true;
  }
  if (key == "dot")
    return readDot(reader, node, profile.tuning);
  if (key == "micro_rows")
    return reader.integer(node, profile.tuning.microRows, "1 to 8",
                          [](int64_t v) { return v >= 1 && v <= 8; });
  if (key == "stream_tiles")
    return reader.integer(node, profile.tuning.streamTiles, "1, 2 or 4",
                          [](int64_t v) { return v == 1 || v == 2 || v == 4; });
  if (key != "tiles")
    return false;
  reader.table(node, "[tiles]", "fp4, fp8, bf16 or f32",
               [&](StringRef inner, const toml::node &value) {
                 return readTiles(reader, inner, value, profile.tuning);
               });
  return true;
}

llvm::Expected<TuningProfile> parseProfile(StringRef text, StringRef name) {
  toml::parse_result parsed =
      toml::parse(std::string_view(text.data(), text.size()));
  if (!parsed)
    return llvm::createStringError(
        name + ":" + llvm::Twine(parsed.error().source().begin.line) + ": " +
        StringRef(parsed.error().description()));
  TuningProfile profile;
  Reader reader(name);
  reader.table(parsed.table(), "the profile",
               "target, date, machine, command, dot, micro_rows, stream_tiles, "
               "[measured], [gpu] or [tiles.FORMAT]",
               [&](StringRef key, const toml::node &node) {
                 return readTop(reader, key, node, profile);
               });
  if (!reader.error.empty())
    return llvm::createStringError(reader.error);
  return profile;
}

llvm::Expected<TuningProfile> readProfile(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return llvm::createStringError(buffer.getError(),
                                   "cannot read profile " + path + ": " +
                                       buffer.getError().message());
  return parseProfile((*buffer)->getBuffer(), path);
}

static void printString(llvm::raw_ostream &out, StringRef key, StringRef text) {
  out << key << " = \"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out << '\\';
    if (c == '\n')
      out << "\\n";
    else
      out << c;
  }
  out << "\"\n";
}

std::string printProfile(const TuningProfile &profile) {
  std::string text;
  llvm::raw_string_ostream out(text);
  printString(out, "target", profile.target);
  printString(out, "date", profile.date);
  printString(out, "machine", profile.machine);
  printString(out, "command", profile.command);
  if (profile.tuning.dot != DotForm::Auto)
    printString(out, "dot",
                profile.tuning.dot == DotForm::Bf16 ? "bf16" : "f32");
  if (profile.tuning.microRows)
    out << "micro_rows = " << profile.tuning.microRows << '\n';
  if (profile.tuning.streamTiles)
    out << "stream_tiles = " << profile.tuning.streamTiles << '\n';
  if (profile.threads) {
    out << "\n[measured]\n";
    out << "read_gbs_one_thread = " << llvm::format("%.1f", profile.readGBs1)
        << "\nread_gbs = " << llvm::format("%.1f", profile.readGBs)
        << "\nthreads = " << profile.threads << '\n';
  }
  for (int format = 0; format < 4; ++format) {
    int64_t prefetch = profile.tuning.prefetchBytes[format];
    if (!prefetch)
      continue;
    out << "\n[tiles." << TileFormatNames[format]
        << "]\nprefetch_bytes = " << prefetch << '\n';
  }
  return text;
}

} // namespace dsv4
