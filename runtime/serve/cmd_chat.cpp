// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chat: a plain multi-turn loop in the official prompt form. The sequence's
// state stays, so a turn costs its own tokens only: what is already fed is a
// prefix of what the next prompt encodes to, and where it is not (thinking that
// is dropped from earlier turns), the sequence starts over.

#include "runtime/serve/generate.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

namespace dsv4::serve {

namespace {

constexpr size_t MaxMessages = 4096;

/// The conversation: messages and their bytes.
text::ChatMessage messages[MaxMessages];
char conversation[16 << 20];
size_t messageCount = 0, used = 0;
/// Ids that the sequence holds.
int32_t fedIds[1 << 22];
int64_t fedCount = 0;

bool addMessage(text::ChatRole role, const char *bytes, size_t count) {
  if (messageCount == MaxMessages || count > sizeof(conversation) - used)
    return false;
  char *to = conversation + used;
  memmove(to, bytes, count);
  used += count;
  messages[messageCount++] = {role, {to, count}, {}};
  return true;
}

void forget(size_t keepMessages, size_t keepBytes) {
  messageCount = keepMessages;
  used = keepBytes;
}

/// Ids in front that are fed already; the rest of the sequence is dropped.
int64_t commonPrefix(Generator &g) {
  int64_t same = 0;
  while (same < fedCount && same < g.numIds() && fedIds[same] == g.ids()[same])
    ++same;
  if (same == fedCount && same < g.numIds())
    return same;
  g.engine.reset(0);
  return fedCount = 0;
}

/// Appends the answer's text as the assistant's message. Reasoning is dropped,
/// as the official form does with that of earlier turns.
bool keepAnswer(Generator &g, int64_t first, bool isThinking) {
  char *start = conversation + used;
  size_t room = sizeof(conversation) - used, size = 0;
  for (int64_t i = first; i < g.numIds(); ++i) {
    std::string_view piece = g.tokenizer.piece(g.ids()[i]);
    isThinking = isThinking && g.ids()[i] != g.chatTokens.thinkEnd;
    if (isThinking || g.tokenizer.isControl(g.ids()[i]))
      continue;
    if (piece.size() > room - size)
      return false;
    memcpy(start + size, piece.data(), piece.size());
    size += piece.size();
  }
  return addMessage(text::ChatRole::Assistant, start, size);
}

Status turn(Generator &g, const Flags &flags, const char *line, size_t bytes) {
  if (!addMessage(text::ChatRole::User, line, bytes))
    return makeError(Code::OutOfMemory, "the conversation is full; use /reset");
  text::ChatOptions options;
  options.mode = flags.think ? text::ChatMode::Thinking : text::ChatMode::Chat;
  DSV4_RETURN_IF_ERROR(g.encodeChat({messages, messageCount}, options));
  int64_t promptIds = g.numIds(), from = commonPrefix(g);
  Status status = g.answer(from, flags.predict, flags);
  if (!status.isOk() && status.code != Code::Interrupted)
    return status;
  if (flags.verbose)
    fprintf(stderr,
            "prompt %lld tokens, %lld of them new, answer %lld tokens\n",
            (long long)promptIds, (long long)(promptIds - from),
            (long long)g.generated());
  // The last token was printed but not fed.
  fedCount = g.engine.length(0);
  if (size_t(fedCount) <= sizeof(fedIds) / sizeof(*fedIds))
    memcpy(fedIds, g.ids(), size_t(fedCount) * sizeof(int32_t));
  else
    fedCount = 0;
  if (!keepAnswer(g, promptIds, flags.think))
    return makeError(Code::OutOfMemory, "the conversation is full; use /reset");
  return status;
}

/// One line of stdin without its newline; false at the end.
bool readLine(char *to, size_t room, size_t &bytes) {
  if (!fgets(to, int(room), stdin))
    return false;
  bytes = strlen(to);
  while (bytes && (to[bytes - 1] == '\n' || to[bytes - 1] == '\r'))
    --bytes;
  return true;
}

Status converse(Generator &g, const Flags &flags) {
  static char line[1 << 20];
  bool terminal = isatty(0);
  if (flags.system)
    addMessage(text::ChatRole::System, flags.system, strlen(flags.system));
  size_t keptMessages = messageCount, keptBytes = used, bytes;
  if (terminal)
    fputs("/reset forgets, /exit ends.\n", stderr);
  while (true) {
    if (terminal)
      fputs("> ", stderr);
    if (!readLine(line, sizeof(line), bytes))
      return interrupted() ? makeError(Code::Interrupted, "interrupted")
                           : okStatus();
    line[bytes] = 0;
    if (!strcmp(line, "/exit"))
      return okStatus();
    if (!strcmp(line, "/reset")) {
      forget(keptMessages, keptBytes);
      continue;
    }
    if (bytes == 0)
      continue;
    DSV4_RETURN_IF_ERROR(turn(g, flags, line, bytes));
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
      {"--threads", "-t", FlagSpec::Threads, &f.threads, "worker threads"},
      {"--verify", nullptr, FlagSpec::Switch, &f.verify,
       "check the weights against their hashes first"},
      {"--verbose", "-v", FlagSpec::Switch, &f.verbose, "statistics on stderr"},
      {"--weights", nullptr, FlagSpec::Text, &f.weights, "sidecar file"}};
  int code;
  if (!parseFlags(argc, argv, "chat", "talk in several turns; one line a turn",
                  specs, sizeof(specs) / sizeof(*specs), &code))
    return code;
  if (text::checkParams(f.sampler) != text::TextError::None)
    return failWith("chat: %s", text::message(text::checkParams(f.sampler)));
  Generator g;
  int64_t context = f.context ? f.context : program.limits.max_context;
  Status status = g.open(program, f, uint64_t(context) * 8);
  if (status.isOk()) {
    status = converse(g, f);
    g.close();
  }
  return status.isOk() ? int(Done) : failWith(status);
}

} // namespace dsv4::serve
