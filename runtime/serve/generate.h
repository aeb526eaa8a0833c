// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text in, text out: what run and chat share. All memory is planned from the
// context length before anything runs.

#ifndef DSV4_RUNTIME_SERVE_GENERATE_H
#define DSV4_RUNTIME_SERVE_GENERATE_H

#include "runtime/serve/cli.h"
#include "runtime/text/chat_format.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/utf8_stream.h"

namespace dsv4::serve {

class Generator {
public:
  /// Opens engine and tokenizer. `textBytes`: of the longest text that is
  /// encoded, with two more for each message; `ownBytes`: of the caller, in
  /// own(), 64-byte aligned.
  Status open(const dsv4_program &program, const Flags &flags,
              uint64_t textBytes, uint64_t ownBytes = 0);
  void close() { engine.close(); }
  void *own() const { return ownMemory; }

  /// Ids of a text that stands as it is, control tokens included.
  Status encodeRaw(const char *text, size_t bytes);
  /// Ids of messages in the official form.
  Status encodeChat(std::span<const text::ChatMessage> messages,
                    const text::ChatOptions &options);

  const int32_t *ids() const { return idBuffer; }
  int64_t numIds() const { return idCount; }

  /// Feeds ids [from, numIds()), then generates up to `limit` tokens (negative:
  /// to the end of the context) onto stdout; reasoning goes to stderr, so that
  /// the answer stands alone. Stops at EOS and on Ctrl-C.
  Status answer(int64_t from, int64_t limit, const Flags &flags);

  int64_t generated() const { return newTokens; }
  double prefillSeconds() const { return prefillTime; }
  double decodeSeconds() const { return decodeTime; }
  int64_t promptTokens() const { return fed; }
  Engine engine;
  text::Tokenizer tokenizer;
  text::ChatTokens chatTokens;

private:
  /// The error of an encoding, in words about the prompt.
  Status encoded(text::CountResult result);
  Status print(int32_t token, bool showControl);
  Status flushText();
  /// Bounded so that Ctrl-C is seen between two steps.
  Status prefill(int64_t from);

  int32_t *idBuffer = nullptr;
  int64_t idCount = 0, idRoom = 0;
  char *textBuffer = nullptr;
  uint64_t textRoom = 0;
  std::span<std::byte> scratch, samplerScratch;
  text::ChatSegment *segments = nullptr;
  void *ownMemory = nullptr;
  text::Utf8Stream stream;
  bool isThinking = false;
  int64_t newTokens = 0, fed = 0;
  double prefillTime = 0, decodeTime = 0;
};

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_GENERATE_H
