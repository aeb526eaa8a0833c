// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes a TokenizerModel as the blob of runtime/text/tokenizer_blob.h. The
// bytes depend on the model alone. Tokens that their own merges rebuild go
// into a table of whole pieces; to know which do, the blob is first opened
// with that table empty and asked.

#include "compiler/import/TokenizerModel.h"

#include <cstring>
#include <map>

#include "runtime/text/bpe.h"
#include "runtime/text/tokenizer.h"

namespace dsv4 {

namespace {

using text::BlobHeader;
using text::BlobMerge;
using text::BlobNode;

/// Slots of a hash table that is at most half full.
uint32_t tableSlots(size_t Entries) {
  uint32_t Slots = 16;
  while (Slots < 2 * Entries)
    Slots *= 2;
  return Slots;
}

/// The added tokens of one kind, as nodes in the order of creation, so that
/// every edge leads to a larger number.
class TrieBuilder {
public:
  std::vector<std::map<unsigned char, uint32_t>> Children;
  std::vector<uint32_t> Tokens; // id + 1

  uint32_t addNode() {
    Children.emplace_back();
    Tokens.push_back(0);
    return static_cast<uint32_t>(Tokens.size() - 1);
  }
  void add(uint32_t Root, llvm::StringRef Text, uint32_t Id) {
    uint32_t Node = Root;
    for (unsigned char C : Text.bytes()) {
      auto It = Children[Node].find(C);
      uint32_t Next = It == Children[Node].end() ? addNode() : It->second;
      Children[Node][C] = Next;
      Node = Next;
    }
    Tokens[Node] = Id + 1;
  }
};

class BlobWriter {
public:
  explicit BlobWriter(const TokenizerModel &Model) : Model(Model) {}

  llvm::SmallVector<char, 0> write() {
    std::memset(&Header, 0, sizeof(Header));
    Header.magic = text::blobMagic;
    Header.version = text::blobVersion;
    Header.bos = Model.Bos;
    Header.eos = Model.Eos;
    Header.pad = Model.Pad;
    Bytes.resize(sizeof(Header));
    addTokens();
    addMerges();
    addTries();
    Header.pieceSlots = tableSlots(Model.Tokens.size());
    Header.pieceTable = addSection(std::vector<uint32_t>(Header.pieceSlots, 0));
    Header.size = static_cast<uint32_t>(Bytes.size());
    storeHeader();
    fillPieceTable();
    storeHeader();
    return std::move(Bytes);
  }

private:
  const TokenizerModel &Model;
  BlobHeader Header;
  llvm::SmallVector<char, 0> Bytes;

  void storeHeader() { std::memcpy(Bytes.data(), &Header, sizeof(Header)); }

  template <typename T> uint32_t addSection(const std::vector<T> &Values) {
    uint32_t Offset = static_cast<uint32_t>(Bytes.size());
    auto *Data = reinterpret_cast<const char *>(Values.data());
    Bytes.append(Data, Data + Values.size() * sizeof(T));
    Bytes.resize((Bytes.size() + 7) / 8 * 8);
    return Offset;
  }

  void addTokens() {
    std::vector<uint32_t> Offsets = {0};
    std::vector<uint8_t> Flags;
    std::vector<char> Texts;
    for (const TokenizerModel::Token &Token : Model.Tokens) {
      Texts.insert(Texts.end(), Token.Text.begin(), Token.Text.end());
      Offsets.push_back(static_cast<uint32_t>(Texts.size()));
      Flags.push_back(Token.Flags);
    }
    Header.numTokens = static_cast<uint32_t>(Model.Tokens.size());
    Header.numBytes = static_cast<uint32_t>(Texts.size());
    Header.tokenOffsets = addSection(Offsets);
    Header.tokenFlags = addSection(Flags);
    Header.texts = addSection(Texts);
    Header.byteIds = addSection(
        std::vector<uint32_t>(Model.ByteIds.begin(), Model.ByteIds.end()));
  }

  void addMerges() {
    Header.numMerges = static_cast<uint32_t>(Model.Merges.size());
    Header.mergeSlots = tableSlots(Model.Merges.size());
    std::vector<BlobMerge> Table(Header.mergeSlots, {0, 0, text::noRank});
    std::vector<uint32_t> Results;
    uint64_t Mask = Header.mergeSlots - 1;
    for (const TokenizerModel::Merge &Merge : Model.Merges) {
      uint64_t Slot = text::pairHash(Merge.Left, Merge.Right) & Mask;
      while (Table[Slot].rank != text::noRank)
        Slot = (Slot + 1) & Mask;
      Table[Slot] = {Merge.Left, Merge.Right,
                     static_cast<uint32_t>(Results.size())};
      Results.push_back(Merge.Result);
    }
    Header.mergeTable = addSection(Table);
    Header.mergeResults = addSection(Results);
  }

  void addTries() {
    TrieBuilder Trie;
    Header.root[0] = Trie.addNode();
    Header.root[1] = Trie.addNode();
    for (const TokenizerModel::Added &Token : Model.AddedTokens)
      Trie.add(Header.root[Token.Normalized], Token.Text, Token.Id);
    std::vector<BlobNode> Nodes;
    std::vector<uint32_t> Edges;
    for (size_t I = 0; I < Trie.Tokens.size(); ++I) {
      Nodes.push_back({static_cast<uint32_t>(Edges.size()),
                       static_cast<uint32_t>(Trie.Children[I].size()),
                       Trie.Tokens[I]});
      for (auto [Byte, Target] : Trie.Children[I])
        Edges.push_back(uint32_t{Byte} << 24 | Target);
    }
    Header.numNodes = static_cast<uint32_t>(Nodes.size());
    Header.numEdges = static_cast<uint32_t>(Edges.size());
    Header.nodes = addSection(Nodes);
    Header.edges = addSection(Edges);
  }

  /// Enters every token that encoding its own text gives back.
  void fillPieceTable() {
    text::Tokenizer Tokenizer;
    if (text::Tokenizer::open(Bytes.data(), Bytes.size(), Tokenizer) !=
        text::TextError::None)
      return; // writeTokenizerBlob() reports it
    std::vector<uint32_t> Table(Header.pieceSlots, 0);
    std::vector<int32_t> Ids;
    std::vector<std::byte> Scratch;
    uint64_t Mask = Header.pieceSlots - 1;
    for (uint32_t Id = 0; Id < Model.Tokens.size(); ++Id) {
      const TokenizerModel::Token &Token = Model.Tokens[Id];
      if (Token.Flags != text::TokenUsed)
        continue;
      size_t Size = Token.Text.size();
      Ids.resize(std::max(Ids.size(), Size));
      Scratch.resize(std::max(Scratch.size(), Size * text::scratchPerByte));
      auto Result = Tokenizer.encodePiece(Token.Text, Ids, Scratch);
      if (!Result || Result.count != 1 || Ids[0] != static_cast<int32_t>(Id))
        continue;
      uint64_t Slot = text::pieceHash(reinterpret_cast<const unsigned char *>(
                                          Token.Text.data()),
                                      Size) &
                      Mask;
      while (Table[Slot] != 0)
        Slot = (Slot + 1) & Mask;
      Table[Slot] = Id + 1;
      Header.maxPieceBytes =
          std::max(Header.maxPieceBytes, static_cast<uint32_t>(Size));
    }
    std::memcpy(Bytes.data() + Header.pieceTable, Table.data(),
                Table.size() * sizeof(uint32_t));
  }
};

} // namespace

llvm::Expected<ImportedTokenizer>
writeTokenizerBlob(const TokenizerModel &Model, llvm::StringRef JsonName) {
  ImportedTokenizer Result;
  Result.Blob = BlobWriter(Model).write();
  Result.NumTokens = static_cast<uint32_t>(Model.Tokens.size());
  Result.Bos = Model.Bos;
  Result.Eos = Model.Eos;
  Result.Pad = Model.Pad;
  text::Tokenizer Tokenizer;
  text::TextError Error =
      text::Tokenizer::open(Result.Blob.data(), Result.Blob.size(), Tokenizer);
  if (Error != text::TextError::None)
    return llvm::createStringError(JsonName +
                                   ": the tokenizer is too large for the "
                                   "executable's format");
  return Result;
}

} // namespace dsv4
