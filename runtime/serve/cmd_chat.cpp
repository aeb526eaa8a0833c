// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chat: a plain multi-turn loop in the official prompt form. Every turn encodes
// the whole conversation anew, and feeds only what the sequence's state does
// not hold yet. State cannot be wound back, so where what was fed is no prefix
// of the new ids (thinking that is dropped from earlier turns, an answer whose
// text merges to other tokens than were sampled), the sequence starts over.

#include "runtime/serve/generate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

namespace dsv4::serve {

namespace {

constexpr size_t MaxMessages = 4096;
/// Of the whole conversation: text with fewer bytes per token is the rule.
constexpr uint64_t BytesPerToken = 16, LeastBytes = 64 << 10;

/// The messages with their bytes, and the ids that the sequence holds, in
/// memory of the engine's reservation.
class Conversation {
public:
  Conversation(void *memory, int64_t context)
      : messages(static_cast<text::ChatMessage *>(memory)),
        fedIds(reinterpret_cast<int32_t *>(messages + MaxMessages)),
        text(reinterpret_cast<char *>(fedIds + context)),
        room(textBytes(context)) {}

  static uint64_t textBytes(int64_t context) {
    return uint64_t(context) * BytesPerToken + LeastBytes;
  }
  static uint64_t memoryBytes(int64_t context) {
    return MaxMessages * sizeof(text::ChatMessage) +
           uint64_t(context) * sizeof(int32_t) + textBytes(context) + 1;
  }

  /// Where the next message may be written, before add().
  char *end() { return text + used; }
  size_t left() const { return room - used; }

  Status add(text::ChatRole role, const char *bytes, size_t count) {
    if (messageCount == MaxMessages || count > left())
      return full();
    char *to = end();
    memmove(to, bytes, count);
    used += count;
    messages[messageCount++] = {role, {to, count}, {}};
    return okStatus();
  }
  /// Appends the answer's text as the assistant's message. Reasoning is
  /// dropped, as the official form does with that of earlier turns.
  Status addAnswer(Generator &g, int64_t firstId, bool isThinking);

  std::span<const text::ChatMessage> all() const {
    return {messages, messageCount};
  }
  size_t size() const { return messageCount; }
  void keep(size_t count) {
    messageCount = count;
    used = count ? size_t(messages[count - 1].content.data() +
                          messages[count - 1].content.size() - text)
                 : 0;
  }

  /// How many of the ids to feed are fed already: `from`; empties the sequence
  /// if that are not all that it holds.
  Status takePrefix(Generator &g, int64_t &from);
  void setFed(Generator &g) {
    fed = g.engine.length(0); // the last token was printed but not fed
    memcpy(fedIds, g.ids(), size_t(fed) * sizeof(int32_t));
  }

private:
  Status full() const {
    return makeError(Code::InvalidArgument,
                     "the conversation is full: at most %zu messages of "
                     "together %zu bytes; use a larger --context",
                     MaxMessages, room);
  }

  text::ChatMessage *messages;
  int32_t *fedIds;
  char *text;
  size_t room, messageCount = 0, used = 0;
  int64_t fed = 0;
};

Status Conversation::takePrefix(Generator &g, int64_t &from) {
  int64_t same = 0;
  while (same < fed && same < g.numIds() && fedIds[same] == g.ids()[same])
    ++same;
  // One id at least is fed, for its logits.
  from = fed = same == fed && same < g.numIds() ? same : 0;
  return from ? okStatus() : g.engine.reset(0);
}

Status Conversation::addAnswer(Generator &g, int64_t firstId, bool isThinking) {
  char *start = end();
  size_t size = 0;
  for (int64_t i = firstId; i < g.numIds(); ++i) {
    std::string_view piece = g.tokenizer.piece(g.ids()[i]);
    isThinking = isThinking && g.ids()[i] != g.chatTokens.thinkEnd;
    if (isThinking || g.tokenizer.isControl(g.ids()[i]))
      continue;
    if (piece.size() > left() - size)
      return full();
    memcpy(start + size, piece.data(), piece.size());
    size += piece.size();
  }
  return add(text::ChatRole::Assistant, start, size);
}

Status turn(Generator &g, const Flags &flags, Conversation &talk,
            std::string_view line) {
  DSV4_RETURN_IF_ERROR(
      talk.add(text::ChatRole::User, line.data(), line.size()));
  text::ChatOptions options;
  options.mode = flags.think ? text::ChatMode::Thinking : text::ChatMode::Chat;
  DSV4_RETURN_IF_ERROR(g.encodeChat(talk.all(), options));
  int64_t promptIds = g.numIds(), from = 0;
  DSV4_RETURN_IF_ERROR(talk.takePrefix(g, from));
  DSV4_RETURN_IF_ERROR(g.answer(from, flags.predict, flags));
  if (flags.verbose)
    fprintf(stderr,
            "prompt %lld tokens, %lld of them new, answer %lld tokens\n",
            (long long)promptIds, (long long)(promptIds - from),
            (long long)g.generated());
  talk.setFed(g);
  return talk.addAnswer(g, promptIds, flags.think);
}

/// Reads a line of stdin, whatever its bytes, to the conversation's end: false
/// at the end of the input, and where it cannot be read. A line that does not
/// fit is cut one byte behind what does, which add() then refuses.
bool readLine(Conversation &talk, std::string_view &line) {
  char *to = talk.end();
  size_t room = talk.left(), bytes = 0;
  int c = EOF;
  while (bytes <= room && (c = getchar()) != EOF && c != '\n') {
    if (bytes < room)
      to[bytes] = char(c);
    ++bytes;
  }
  if (c == EOF && (bytes == 0 || interrupted() || ferror(stdin)))
    return false;
  while (bytes > 0 && bytes <= room && to[bytes - 1] == '\r')
    --bytes;
  line = {to, bytes};
  return true;
}

/// Why there are no more lines: a read that fails is not the end of a talk.
Status endOfInput() {
  if (interrupted())
    return makeError(Code::Interrupted, "interrupted");
  if (ferror(stdin))
    return makeSystemError(Code::Io, errno, "stdin: cannot be read");
  return okStatus();
}

Status converse(Generator &g, const Flags &flags, Conversation &talk) {
  bool terminal = isatty(0);
  if (flags.system)
    DSV4_RETURN_IF_ERROR(
        talk.add(text::ChatRole::System, flags.system, strlen(flags.system)));
  size_t kept = talk.size();
  if (terminal)
    fputs("/reset forgets, /exit ends.\n", stderr);
  while (true) {
    std::string_view line;
    if (terminal)
      fputs("> ", stderr);
    if (!readLine(talk, line))
      return endOfInput();
    if (line == "/exit")
      return okStatus();
    if (line == "/reset") {
      talk.keep(kept);
      continue;
    }
    if (line.empty())
      continue;
    DSV4_RETURN_IF_ERROR(turn(g, flags, talk, line));
    DSV4_RETURN_IF_ERROR(writeAll(1, "\n", 1));
  }
}

} // namespace

int chatCommand(const dsv4_program &program, int argc, char **argv) {
  Flags f;
  f.sampler.temperature = program.temperature;
  f.sampler.topP = program.top_p;
  const FlagSpec specs[] = {
      {"--system", nullptr, FlagSpec::Text, &f.system, "system message"},
      {"--think", nullptr, FlagSpec::Switch, &f.think, "thinking mode"},
      {"--predict", "-n", FlagSpec::Integer, &f.predict,
       "most tokens of one answer"},
      {"--temp", nullptr, FlagSpec::Real, &f.sampler.temperature,
       "temperature; 0: always the likeliest token"},
      {"--top-k", nullptr, FlagSpec::Count, &f.sampler.topK,
       "keep the k likeliest tokens"},
      {"--top-p", nullptr, FlagSpec::Real, &f.sampler.topP,
       "keep the likeliest tokens of this share"},
      {"--min-p", nullptr, FlagSpec::Real, &f.sampler.minP,
       "keep tokens of at least this share of the likeliest"},
      {"--seed", nullptr, FlagSpec::Seed, &f.sampler.seed, "random seed"},
      {"--context", "-c", FlagSpec::Integer, &f.context, "context in tokens"},
      {"--threads", "-t", FlagSpec::Threads, &f.threads, threadsHelp},
      {"--verify", nullptr, FlagSpec::Switch, &f.verify,
       "check the weights against their hashes first"},
      {"--verbose", "-v", FlagSpec::Switch, &f.verbose, "statistics on stderr"},
      {"--device", nullptr, FlagSpec::Count, &f.device, deviceHelp},
      {"--quiet", "-q", FlagSpec::Switch, &f.quiet, quietHelp},
      {"--weights", nullptr, FlagSpec::Text, &f.weights, "sidecar file"}};
  int code;
  if (!parseFlags(argc, argv, "chat", "talk in several turns; one line a turn",
                  specs, sizeof(specs) / sizeof(*specs), &code))
    return code;
  if (text::checkParams(f.sampler) != text::TextError::None)
    return failWith("chat: %s", text::message(text::checkParams(f.sampler)));
  Generator g;
  int64_t context = plannedContext(program, f);
  Status status =
      g.open(program, f, Conversation::textBytes(context) + 2 * MaxMessages,
             Conversation::memoryBytes(context));
  if (status.isOk()) {
    Conversation talk(g.own(), context);
    status = converse(g, f, talk);
    g.close();
  }
  return status.isOk() ? int(Done) : failWith(status);
}

} // namespace dsv4::serve
