// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A reader of just enough ELF64, little-endian. The numbers of attributes in
// .nv.info are not published; those used here were found by compiling kernels
// with one known property each (test/unit/cuda).

#include "targets/cuda/toolchain/CubinReader.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Endian.h"

using namespace llvm;

namespace dsv4::cuda {
namespace {

constexpr uint16_t machineCuda = 190;
constexpr uint32_t sectionNoBits = 8, sectionSymbols = 2;
constexpr uint8_t symbolFunction = 2, otherKernel = 0x10;
// A function of more instructions is no kernel of anybody (16 MiB of code).
constexpr uint64_t maxInstructions = 1 << 20;

// Attributes: format byte, number, then two bytes of value or of length.
enum Format : uint8_t { FormatByte = 2, FormatHalf = 3, FormatSized = 4 };
enum Attribute : uint8_t {
  AttributeMaxThreads = 0x05,
  AttributeParameterBank = 0x0a,
  AttributeRequiredThreads = 0x10,
  AttributeFrameSize = 0x11,
  AttributeMinStack = 0x12,
  AttributeParameterSize = 0x19,
  AttributeRegisters = 0x2f,
  AttributeBarriers = 0x4c,
};

struct Section {
  StringRef name, data; // data is empty for sections without bytes
  uint32_t type = 0, link = 0, info = 0;
  uint64_t flags = 0, offset = 0, size = 0;
};

struct Symbol {
  StringRef name;
  uint8_t type = 0, other = 0;
  uint16_t section = 0;
  uint64_t value = 0, size = 0;
};

uint16_t u16(StringRef at) { return support::endian::read16le(at.data()); }
uint32_t u32(StringRef at) { return support::endian::read32le(at.data()); }
uint64_t u64(StringRef at) { return support::endian::read64le(at.data()); }

Error bad(const Twine &what) {
  return createStringError("not a readable cubin: " + what);
}

/// A name of a string table; empty if it is out of bounds or has no end.
StringRef nameAt(StringRef table, uint32_t offset) {
  if (offset >= table.size())
    return "";
  StringRef rest = table.substr(offset);
  size_t end = rest.find('\0');
  return end == StringRef::npos ? "" : rest.take_front(end);
}

class Reader {
public:
  explicit Reader(StringRef file) : file(file) {}
  Expected<Cubin> read();

private:
  Error readHeader();
  Error readSections();
  Error readSymbols();
  Error readFunctions();
  Error readCode(const Symbol &symbol, CubinFunction &function);
  Error readAttributes(const Section &section, CubinFunction *owner);
  void apply(uint8_t number, StringRef value, CubinFunction *owner);
  void applyOfSymbol(uint8_t number, uint32_t symbol, uint32_t value);

  StringRef file;
  Cubin cubin;
  std::vector<Section> sections;
  std::vector<Symbol> symbols;
  std::vector<int> functionOfSymbol; // -1: none
  StringMap<int> functionOfName;
};

Error Reader::readHeader() {
  if (file.size() < 64)
    return bad(Twine(file.size()) + " bytes, expected at least 64");
  if (!file.starts_with("\x7f"
                        "ELF"))
    return bad("it does not begin with ELF's magic number");
  if (file[4] != 2 || file[5] != 1)
    return bad("expected 64 bits, little-endian");
  if (u16(file.substr(18)) != machineCuda)
    return bad("ELF machine " + Twine(u16(file.substr(18))) +
               ", expected 190 (CUDA)");
  // CUDA 13 moved the architecture up by a byte, with a new ABI version.
  uint32_t flags = u32(file.substr(48));
  cubin.arch = uint8_t(file[8]) >= 8 ? (flags >> 8) & 0xff : flags & 0xff;
  if (cubin.arch < 70)
    return bad("architecture sm_" + Twine(cubin.arch) +
               ", expected sm_70 or newer (16-byte instructions)");
  return Error::success();
}

Error Reader::readSections() {
  uint64_t offset = u64(file.substr(40));
  uint16_t entry = u16(file.substr(58)), count = u16(file.substr(60)),
           names = u16(file.substr(62));
  if (entry != 64)
    return bad("section headers of " + Twine(entry) + " bytes, expected 64");
  if (offset > file.size() || (file.size() - offset) / 64 < count)
    return bad("the " + Twine(count) + " section headers at offset " +
               Twine(offset) + " reach beyond the " + Twine(file.size()) +
               " bytes of the file");
  for (uint16_t i = 0; i < count; ++i) {
    StringRef header = file.substr(offset + 64ull * i, 64);
    Section one;
    one.type = u32(header.substr(4));
    one.flags = u64(header.substr(8));
    one.offset = u64(header.substr(24));
    one.size = u64(header.substr(32));
    one.link = u32(header.substr(40));
    one.info = u32(header.substr(44));
    if (one.type != 0 && one.type != sectionNoBits) {
      if (one.offset > file.size() || file.size() - one.offset < one.size)
        return bad("section " + Twine(i) + " (" + Twine(one.size) +
                   " bytes at offset " + Twine(one.offset) +
                   ") reaches beyond the " + Twine(file.size()) +
                   " bytes of the file");
      one.data = file.substr(one.offset, one.size);
    }
    sections.push_back(one);
  }
  if (names >= count)
    return bad("section " + Twine(names) + " should hold names, there are " +
               Twine(count));
  StringRef table = sections[names].data;
  for (Section &one : sections)
    one.name = nameAt(
        table, u32(file.substr(offset + 64ull * (&one - sections.data()))));
  return Error::success();
}

Error Reader::readSymbols() {
  for (const Section &one : sections) {
    if (one.type != sectionSymbols)
      continue;
    if (!symbols.empty())
      return bad("two symbol tables");
    if (one.link >= sections.size() || one.data.size() % 24 != 0)
      return bad("its symbol table is malformed");
    StringRef names = sections[one.link].data;
    for (size_t at = 0; at < one.data.size(); at += 24) {
      StringRef entry = one.data.substr(at, 24);
      Symbol symbol;
      symbol.name = nameAt(names, u32(entry));
      symbol.type = uint8_t(entry[4]) & 15;
      symbol.other = uint8_t(entry[5]);
      symbol.section = u16(entry.substr(6));
      symbol.value = u64(entry.substr(8));
      symbol.size = u64(entry.substr(16));
      symbols.push_back(symbol);
    }
  }
  if (symbols.empty())
    return bad("no symbol table");
  return Error::success();
}

/// Behind the last instruction: a branch to itself as a guard, then NOPs.
void dropPadding(std::vector<SassInstruction> &code, unsigned arch) {
  while (!code.empty() && code.back().base() == sassNop)
    code.pop_back();
  if (!code.empty() && code.back().isBranch() &&
      code.back().branchOffset(arch) == -16)
    code.pop_back();
}

Error Reader::readCode(const Symbol &symbol, CubinFunction &function) {
  if (symbol.section >= sections.size())
    return bad("function '" + symbol.name + "' lies in section " +
               Twine(symbol.section) + ", there are " + Twine(sections.size()));
  StringRef text = sections[symbol.section].data;
  // Before CUDA 13 the flags of the section hold it, since then an attribute.
  function.barriers = sections[symbol.section].flags >> 20 & 0x7f;
  if (symbol.value > text.size() || text.size() - symbol.value < symbol.size ||
      symbol.size % 16 != 0)
    return bad("function '" + symbol.name + "' (" + Twine(symbol.size) +
               " bytes at " + Twine(symbol.value) +
               ") does not fit its section of " + Twine(text.size()) +
               " bytes");
  if (symbol.size / 16 > maxInstructions)
    return bad("function '" + symbol.name + "' has more than " +
               Twine(maxInstructions) + " instructions");
  text = text.substr(symbol.value, symbol.size);
  for (; !text.empty(); text = text.drop_front(16))
    function.code.push_back({u64(text), u64(text.substr(8))});
  dropPadding(function.code, cubin.arch);
  return Error::success();
}

Error Reader::readFunctions() {
  functionOfSymbol.assign(symbols.size(), -1);
  uint64_t total = 0;
  for (size_t i = 0; i < symbols.size(); ++i) {
    const Symbol &symbol = symbols[i];
    if (symbol.type != symbolFunction || symbol.section == 0)
      continue;
    // Symbols may overlap: a small file must not become much memory.
    if (symbol.size > file.size() || (total += symbol.size) > file.size())
      return bad("its functions are larger than the file");
    CubinFunction function;
    function.name = symbol.name.str();
    function.isKernel = symbol.other & otherKernel;
    if (Error error = readCode(symbol, function))
      return error;
    functionOfSymbol[i] = int(cubin.functions.size());
    functionOfName[function.name] = functionOfSymbol[i];
    cubin.functions.push_back(std::move(function));
  }
  return Error::success();
}

void Reader::applyOfSymbol(uint8_t number, uint32_t symbol, uint32_t value) {
  if (symbol >= functionOfSymbol.size() || functionOfSymbol[symbol] < 0)
    return;
  CubinFunction &function = cubin.functions[functionOfSymbol[symbol]];
  if (number == AttributeRegisters)
    function.registers = value;
  else if (number == AttributeFrameSize)
    function.frameBytes = value;
  else if (number == AttributeMinStack)
    function.stackBytes = value;
}

void Reader::apply(uint8_t number, StringRef value, CubinFunction *owner) {
  bool isGlobal = number == AttributeRegisters ||
                  number == AttributeFrameSize || number == AttributeMinStack;
  if (isGlobal && value.size() >= 8)
    return applyOfSymbol(number, u32(value), u32(value.substr(4)));
  if (!owner)
    return;
  bool isThreads =
      number == AttributeMaxThreads || number == AttributeRequiredThreads;
  if (isThreads && value.size() >= 12) {
    auto &threads = number == AttributeMaxThreads ? owner->maxThreads
                                                  : owner->requiredThreads;
    for (int axis = 0; axis < 3; ++axis)
      threads[axis] = u32(value.substr(4 * axis));
  } else if (number == AttributeParameterBank && value.size() >= 8) {
    owner->parameterOffset = u16(value.substr(4));
    owner->parameterBytes = u16(value.substr(6));
  } else if (number == AttributeParameterSize && value.size() >= 2) {
    owner->parameterBytes = u16(value);
  } else if (number == AttributeBarriers && !value.empty()) {
    owner->barriers = uint8_t(value[0]);
  }
}

Error Reader::readAttributes(const Section &section, CubinFunction *owner) {
  StringRef rest = section.data;
  while (rest.size() >= 4) {
    uint8_t format = rest[0], number = rest[1];
    StringRef value = rest.substr(2, 2);
    size_t length = 4;
    if (format == FormatSized) {
      uint16_t size = u16(value);
      if (rest.size() - 4 < size)
        return bad("attribute " + Twine(number) + " of " + section.name +
                   " reaches beyond its section");
      value = rest.substr(4, size);
      length += size;
    }
    apply(number, value, owner);
    rest = rest.drop_front(length);
  }
  return rest.empty() ? Error::success()
                      : bad("bytes behind the attributes of " + section.name);
}

Expected<Cubin> Reader::read() {
  if (Error error = readHeader())
    return std::move(error);
  if (Error error = readSections())
    return std::move(error);
  if (Error error = readSymbols())
    return std::move(error);
  if (Error error = readFunctions())
    return std::move(error);
  // The system's share lies in front of static shared memory from sm_90 on.
  uint64_t reserved = cubin.arch >= 90 ? 1024 : 0;
  for (const Section &one : sections) {
    // Sections of a function are called PREFIX.NAME.
    auto ownerOf = [&](StringRef prefix) -> CubinFunction * {
      StringRef name = one.name;
      if (!name.consume_front(prefix))
        return nullptr;
      auto found = functionOfName.find(name);
      return found == functionOfName.end() ? nullptr
                                           : &cubin.functions[found->second];
    };
    if (one.name == ".nv.info") {
      if (Error error = readAttributes(one, nullptr))
        return std::move(error);
    } else if (CubinFunction *owner = ownerOf(".nv.info.")) {
      if (Error error = readAttributes(one, owner))
        return std::move(error);
    } else if (CubinFunction *owner = ownerOf(".nv.shared.")) {
      uint64_t bytes = one.size > reserved ? one.size - reserved : 0;
      owner->sharedBytes = uint32_t(std::min<uint64_t>(bytes, UINT32_MAX));
    } else if (CubinFunction *owner = ownerOf(".nv.constant0.")) {
      owner->constantBytes = uint32_t(std::min<uint64_t>(one.size, UINT32_MAX));
    }
  }
  return std::move(cubin);
}

} // namespace

const CubinFunction *Cubin::find(StringRef name) const {
  for (const CubinFunction &one : functions)
    if (one.name == name)
      return &one;
  return nullptr;
}

Expected<Cubin> readCubin(StringRef bytes) { return Reader(bytes).read(); }

void addLog(Cubin &cubin, ArrayRef<PtxasResources> resources) {
  for (CubinFunction &function : cubin.functions)
    for (const PtxasResources &one : resources)
      if (one.name == function.name) {
        function.spillStoreBytes = one.spillStoreBytes;
        function.spillLoadBytes = one.spillLoadBytes;
      }
}

} // namespace dsv4::cuda
