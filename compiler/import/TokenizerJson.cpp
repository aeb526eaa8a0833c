// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads tokenizer.json and tokenizer_config.json into a TokenizerModel and
// refuses, by name, whatever the runtime tokenizer does not do. The JSON
// library may throw; nothing leaves this file but llvm::Error.

#include "compiler/import/TokenizerModel.h"

#include <exception>
#include <unordered_map>
#include <unordered_set>

#include "nlohmann/json.hpp"
#include "runtime/text/tokenizer_blob.h"
#include "runtime/text/utf8.h"

namespace dsv4 {

namespace {

using Json = nlohmann::json;

constexpr int MaxDepth = 64;
constexpr size_t MaxAddedBytes = 1024;
constexpr uint32_t MaxTokens = text::maxBlobTokens;

// The pre-tokeniser that runtime/text/pretokenizer.cpp implements.
const char *const SplitExpressions[3] = {
    "\\p{N}{1,3}", "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
    "[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|"
    "\\s*[\r\n]+|\\s+(?!\\S)|\\s+"};

/// Thrown inside this file only; carries the message for the user.
struct Refusal {
  std::string Message;
};

[[noreturn]] void refuse(const llvm::Twine &Message) {
  throw Refusal{Message.str()};
}

/// Looks a key up; null if absent.
const Json &get(const Json &Object, const char *Key) {
  static const Json Null;
  if (!Object.is_object())
    return Null;
  auto It = Object.find(Key);
  return It == Object.end() ? Null : *It;
}

bool isType(const Json &Value, const char *Type) {
  const Json &Found = get(Value, "type");
  return Found.is_string() && Found.get_ref<const std::string &>() == Type;
}

bool isFalse(const Json &Value) {
  return Value.is_boolean() && !Value.get<bool>();
}
bool isNullOrFalse(const Json &Value) {
  return Value.is_null() || isFalse(Value);
}
bool isNullOrEmpty(const Json &Value) {
  return Value.is_null() ||
         (Value.is_string() && Value.get_ref<const std::string &>().empty());
}

/// Brackets nest at most MaxDepth deep, so that no reader's stack can overflow.
void checkDepth(llvm::StringRef Text) {
  int Depth = 0;
  bool InString = false;
  for (size_t I = 0; I < Text.size(); ++I) {
    char C = Text[I];
    if (InString) {
      if (C == '\\')
        ++I;
      else if (C == '"')
        InString = false;
    } else if (C == '"') {
      InString = true;
    } else if (C == '[' || C == '{') {
      if (++Depth > MaxDepth)
        refuse("nested deeper than " + llvm::Twine(MaxDepth) + " levels");
    } else if (C == ']' || C == '}') {
      --Depth;
    }
  }
}

Json parse(llvm::StringRef Text) {
  checkDepth(Text);
  Json Root = Json::parse(Text.begin(), Text.end()); // throws with a position
  if (!Root.is_object())
    refuse("expected a JSON object");
  return Root;
}

//===------------------------------------------------------------------------===
// What is supported
//===------------------------------------------------------------------------===

void checkSplit(const Json &Step, int Index) {
  std::string Where = "pre_tokenizer step " + std::to_string(Index);
  if (!isType(Step, "Split"))
    refuse(
        Where + ": expected type Split, found " +
        get(Step, "type").dump(-1, ' ', false, Json::error_handler_t::replace));
  const Json &Regex = get(get(Step, "pattern"), "Regex");
  if (!Regex.is_string() ||
      Regex.get_ref<const std::string &>() != SplitExpressions[Index])
    refuse(Where + ": unknown regular expression " +
           Regex.dump(-1, ' ', false, Json::error_handler_t::replace) +
           "; only those of DeepSeek V4 are supported");
  if (get(Step, "behavior") != "Isolated" || !isFalse(get(Step, "invert")))
    refuse(Where + ": expected behavior Isolated and invert false");
}

void checkPreTokenizer(const Json &Pre) {
  const Json &Steps = get(Pre, "pretokenizers");
  if (!isType(Pre, "Sequence") || !Steps.is_array() || Steps.size() != 4)
    refuse("pre_tokenizer: expected a Sequence of three Split and one "
           "ByteLevel");
  for (int I = 0; I < 3; ++I)
    checkSplit(Steps[I], I);
  if (!isType(Steps[3], "ByteLevel") ||
      !isFalse(get(Steps[3], "add_prefix_space")) ||
      !isFalse(get(Steps[3], "use_regex")))
    refuse("pre_tokenizer step 3: expected ByteLevel with add_prefix_space "
           "false and use_regex false");
}

void checkNormalizer(const Json &Normalizer) {
  if (Normalizer.is_null())
    return;
  const Json &Steps = get(Normalizer, "normalizers");
  if (!isType(Normalizer, "Sequence") || !Steps.is_array() || !Steps.empty())
    refuse("normalizer: only none or an empty Sequence is supported");
}

void checkModelOptions(const Json &Model) {
  if (!isType(Model, "BPE"))
    refuse("model: expected type BPE");
  for (const char *Key : {"byte_fallback", "fuse_unk", "ignore_merges"})
    if (!isNullOrFalse(get(Model, Key)))
      refuse(llvm::Twine("model: ") + Key + " is not supported");
  for (const char *Key : {"dropout", "unk_token"})
    if (!get(Model, Key).is_null())
      refuse(llvm::Twine("model: ") + Key + " is not supported");
  for (const char *Key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!isNullOrEmpty(get(Model, Key)))
      refuse(llvm::Twine("model: ") + Key + " is not supported");
}

void checkRoot(const Json &Root) {
  for (const char *Key : {"truncation", "padding"})
    if (!get(Root, Key).is_null())
      refuse(llvm::Twine(Key) + " is not supported");
  checkNormalizer(get(Root, "normalizer"));
  checkPreTokenizer(get(Root, "pre_tokenizer"));
  const Json &Post = get(Root, "post_processor");
  if (!Post.is_null() && !isType(Post, "ByteLevel"))
    refuse("post_processor: only none or ByteLevel is supported");
  if (!isType(get(Root, "decoder"), "ByteLevel"))
    refuse("decoder: expected ByteLevel");
  checkModelOptions(get(Root, "model"));
}

//===------------------------------------------------------------------------===
// Vocabulary and merges
//===------------------------------------------------------------------------===

/// The printable form of a byte in byte-level BPE: printable Latin-1 stands for
/// itself, the other 68 bytes follow from U+0100 on, in ascending order.
std::array<int, 0x144> makeByteAlphabet() {
  std::array<int, 0x144> Table;
  Table.fill(-1);
  int Next = 0x100;
  for (int B = 0; B < 256; ++B) {
    bool Printable = (B >= 0x21 && B <= 0x7E) || (B >= 0xA1 && B <= 0xAC) ||
                     (B >= 0xAE && B <= 0xFF);
    Table[Printable ? B : Next++] = B;
  }
  return Table;
}

/// Bytes of a vocabulary entry, or false if a character stands for no byte.
bool toBytes(const std::string &Printable, std::string &Bytes) {
  static const std::array<int, 0x144> Alphabet = makeByteAlphabet();
  auto *P = reinterpret_cast<const unsigned char *>(Printable.data());
  auto *End = P + Printable.size();
  while (P != End) {
    text::Utf8Char C = text::decodeUtf8(P, End);
    if (C.codePoint >= Alphabet.size() || Alphabet[C.codePoint] < 0)
      return false;
    Bytes.push_back(static_cast<char>(Alphabet[C.codePoint]));
    P += C.size;
  }
  return true;
}

class Reader {
public:
  TokenizerModel Model;

  void readTokenizer(const Json &Root) {
    checkRoot(Root);
    readAdded(get(Root, "added_tokens"));
    readVocab(get(get(Root, "model"), "vocab"));
    readMerges(get(get(Root, "model"), "merges"));
  }

  int32_t findNamed(const Json &Config, const char *Key) {
    const Json &Value = get(Config, Key);
    if (Value.is_null())
      return -1;
    const Json &Text = Value.is_object() ? get(Value, "content") : Value;
    if (!Text.is_string())
      refuse(llvm::Twine(Key) + ": expected a string or an AddedToken");
    for (const TokenizerModel::Added &Token : Model.AddedTokens)
      if (Token.Text == Text.get_ref<const std::string &>())
        return static_cast<int32_t>(Token.Id);
    refuse(llvm::Twine(Key) + ": " + Text.get_ref<const std::string &>() +
           " is not an added token of tokenizer.json");
  }

private:
  std::unordered_map<std::string, uint32_t> Ids; // printable form
  std::unordered_set<uint32_t> AddedIds;

  static uint32_t readId(const Json &Value, const std::string &Where) {
    if (!Value.is_number_unsigned() || Value.get<uint64_t>() >= MaxTokens)
      refuse(Where + ": expected an id below " + llvm::Twine(MaxTokens));
    return Value.get<uint32_t>();
  }

  void setToken(uint32_t Id, std::string Text, uint8_t Flags,
                const std::string &Where) {
    if (Id >= Model.Tokens.size())
      Model.Tokens.resize(Id + 1);
    TokenizerModel::Token &Token = Model.Tokens[Id];
    if (Token.Flags)
      refuse(Where + ": id " + llvm::Twine(Id) + " is used twice");
    Token.Text = std::move(Text);
    Token.Flags = Flags | text::TokenUsed;
  }

  void readAdded(const Json &List) {
    if (!List.is_array())
      refuse("added_tokens: expected an array");
    std::unordered_set<std::string> Seen;
    for (size_t I = 0; I < List.size(); ++I) {
      std::string Where = "added_tokens[" + std::to_string(I) + "]";
      const Json &Entry = List[I];
      for (const char *Key : {"lstrip", "rstrip", "single_word"})
        if (!isNullOrFalse(get(Entry, Key)))
          refuse(Where + ": " + Key + " is not supported");
      const Json &Content = get(Entry, "content");
      if (!Content.is_string() ||
          Content.get_ref<const std::string &>().empty())
        refuse(Where + ": content is missing");
      const auto &Text = Content.get_ref<const std::string &>();
      if (Text.size() > MaxAddedBytes ||
          Text.find("\xEF\xBF\xBD") != std::string::npos)
        refuse(Where + ": content is longer than 1024 bytes or holds U+FFFD");
      if (!Seen.insert(Text).second)
        refuse(Where + ": " + Text + " is listed twice");
      readAddedEntry(Entry, Text, Where);
    }
  }

  void readAddedEntry(const Json &Entry, const std::string &Text,
                      const std::string &Where) {
    const Json &Special = get(Entry, "special");
    const Json &Normalized = get(Entry, "normalized");
    if (!Special.is_boolean() || !Normalized.is_boolean())
      refuse(Where + ": special or normalized is missing");
    uint32_t Id = readId(get(Entry, "id"), Where);
    uint8_t Flags = text::TokenAdded;
    if (Special.get<bool>())
      Flags |= text::TokenSpecial;
    setToken(Id, Text, Flags, Where);
    AddedIds.insert(Id);
    Model.AddedTokens.push_back({Text, Id, Normalized.get<bool>()});
  }

  void readVocab(const Json &Vocab) {
    if (!Vocab.is_object())
      refuse("model.vocab: expected an object");
    Model.ByteIds.fill(UINT32_MAX);
    for (const auto &[Printable, Value] : Vocab.items()) {
      std::string Where = "model.vocab \"" + Printable + "\"";
      uint32_t Id = readId(Value, Where);
      Ids.emplace(Printable, Id);
      if (AddedIds.count(Id)) {
        if (Model.Tokens[Id].Text != Printable)
          refuse(Where + ": id " + llvm::Twine(Id) +
                 " is that of the added token " + Model.Tokens[Id].Text);
        continue;
      }
      std::string Bytes;
      if (Printable.empty() || !toBytes(Printable, Bytes))
        refuse(Where + ": not a text in the byte-level alphabet");
      if (Bytes.size() == 1)
        Model.ByteIds[static_cast<unsigned char>(Bytes[0])] = Id;
      setToken(Id, std::move(Bytes), 0, Where);
    }
    for (int B = 0; B < 256; ++B)
      if (Model.ByteIds[B] == UINT32_MAX)
        refuse("model.vocab: no token for the byte " + llvm::Twine(B));
  }

  uint32_t findMergePart(const std::string &Text, const std::string &Where) {
    auto It = Ids.find(Text);
    if (It == Ids.end())
      refuse(Where + ": \"" + Text + "\" is not in the vocabulary");
    if (AddedIds.count(It->second))
      refuse(Where + ": \"" + Text +
             "\" is an added token, which merges must "
             "not touch");
    return It->second;
  }

  void readMerges(const Json &List) {
    if (!List.is_array())
      refuse("model.merges: expected an array");
    std::unordered_set<uint64_t> Pairs;
    std::unordered_set<uint32_t> Results;
    for (size_t I = 0; I < List.size(); ++I) {
      std::string Where = "model.merges[" + std::to_string(I) + "]";
      auto [Left, Right] = splitMerge(List[I], Where);
      TokenizerModel::Merge Merge = {findMergePart(Left, Where),
                                     findMergePart(Right, Where),
                                     findMergePart(Left + Right, Where)};
      if (!Pairs.insert(uint64_t{Merge.Left} << 32 | Merge.Right).second ||
          !Results.insert(Merge.Result).second)
        refuse(Where + ": a second merge to \"" + Left + Right + "\"");
      Model.Merges.push_back(Merge);
    }
  }

  /// "a b" or ["a", "b"].
  static std::pair<std::string, std::string>
  splitMerge(const Json &Entry, const std::string &Where) {
    if (Entry.is_array() && Entry.size() == 2 && Entry[0].is_string() &&
        Entry[1].is_string())
      return {Entry[0].get<std::string>(), Entry[1].get<std::string>()};
    if (Entry.is_string()) {
      const auto &Text = Entry.get_ref<const std::string &>();
      size_t Space = Text.find(' ');
      if (Space != std::string::npos &&
          Text.find(' ', Space + 1) == std::string::npos)
        return {Text.substr(0, Space), Text.substr(Space + 1)};
    }
    refuse(Where + ": expected \"left right\" or [left, right]");
  }
};

/// Runs `Body` and turns what it throws into an error that names `File`.
template <typename Function>
llvm::Error guarded(llvm::StringRef File, Function Body) {
  std::string Message;
  try {
    Body();
    return llvm::Error::success();
  } catch (const Refusal &R) {
    Message = R.Message;
  } catch (const std::exception &E) {
    Message = E.what();
  }
  return llvm::createStringError(File + ": " + Message);
}

} // namespace

llvm::Expected<TokenizerModel> readTokenizerModel(llvm::StringRef JsonText,
                                                  llvm::StringRef JsonName,
                                                  llvm::StringRef Config,
                                                  llvm::StringRef ConfigName) {
  Reader R;
  if (auto Error = guarded(JsonName, [&] { R.readTokenizer(parse(JsonText)); }))
    return std::move(Error);
  auto ReadConfig = [&] {
    Json Root = parse(Config);
    for (const char *Key : {"add_bos_token", "add_eos_token"})
      if (!isNullOrFalse(get(Root, Key)))
        refuse(llvm::Twine(Key) + ": only false is supported");
    R.Model.Bos = R.findNamed(Root, "bos_token");
    R.Model.Eos = R.findNamed(Root, "eos_token");
    R.Model.Pad = R.findNamed(Root, "pad_token");
  };
  if (auto Error = guarded(ConfigName, ReadConfig))
    return std::move(Error);
  return std::move(R.Model);
}

} // namespace dsv4
