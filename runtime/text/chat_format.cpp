// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rendering of conversations. Neighbouring text (an effort text and a system
// prompt) becomes one segment, because merges may cross the seam.

#include "runtime/text/chat_format.h"

#include <cstring>

namespace dsv4::text {

namespace {

// Wire constants (model.md 5.4); their SHA-256 is tested.
constexpr std::string_view maximumEffort =
    "Reasoning Effort: Absolute maximum with no shortcuts permitted.\n"
    "You MUST be very thorough in your thinking and comprehensively decompose "
    "the problem to resolve the root cause, rigorously stress-testing your "
    "logic against all potential paths, edge cases, and adversarial "
    "scenarios.\n"
    "Explicitly write out your entire deliberation process, documenting every "
    "intermediate step, considered alternative, and rejected hypothesis to "
    "ensure absolutely no assumption is left unchecked.\n\n";

constexpr std::string_view beyondMaximumEffort =
    "Reasoning Effort: Beyond maximum \xE2\x80\x94 exhaustive, relentless, and "
    "uncompromising.\n"
    "You MUST reason with the utmost depth and rigor, leaving absolutely "
    "nothing to chance: exhaustively decompose the problem into its most "
    "fundamental components, trace every causal chain to its root, and resolve "
    "the underlying cause rather than any surface symptom.\n"
    "Do not stop reasoning until you have independently verified the solution "
    "from multiple angles and are certain that no assumption remains unchecked "
    "and no error remains undiscovered.\n\n";

constexpr std::string_view partSeparator = "\n\n";

class Renderer {
public:
  Renderer(std::span<const ChatMessage> messages, const ChatOptions &options,
           const ChatTokens &tokens, ChatBuffer buffer)
      : messages(messages), options(options), tokens(tokens), buffer(buffer) {
    for (size_t i = 0; i < messages.size(); ++i)
      if (messages[i].role == ChatRole::User)
        lastUser = i + 1;
  }

  RenderedChat run() {
    addToken(tokens.bos);
    if (options.mode == ChatMode::Thinking)
      addText(effortText(options.release, options.effort));
    for (size_t i = 0; i < messages.size(); ++i)
      addMessage(i);
    if (error != TextError::None)
      return {error, {}};
    return {error, buffer.segments.first(count)};
  }

private:
  bool isUser(size_t i) const {
    return i < messages.size() && messages[i].role == ChatRole::User;
  }

  /// Whether the turn at `i` shows reasoning; the last user message (number
  /// lastUser - 1) and what follows it always does in thinking mode.
  bool showsThinking(size_t i) const {
    return options.mode == ChatMode::Thinking &&
           (!options.dropThinking || i + 1 >= lastUser);
  }

  void addMessage(size_t i) {
    const ChatMessage &message = messages[i];
    switch (message.role) {
    case ChatRole::System:
      return addText(message.content);
    case ChatRole::Reminder:
      addToken(tokens.reminder);
      return addText(message.content);
    case ChatRole::User:
      return addUser(i);
    case ChatRole::Assistant:
      if (showsThinking(i)) {
        addText(message.reasoning);
        addToken(tokens.thinkEnd);
      }
      addText(message.content);
      return addToken(tokens.eos);
    }
  }

  void addUser(size_t i) {
    if (i > 0 && isUser(i - 1))
      addText(partSeparator);
    else
      addToken(tokens.user);
    addText(messages[i].content);
    bool last = i + 1 == messages.size();
    if (last || messages[i + 1].role == ChatRole::Assistant ||
        messages[i + 1].role == ChatRole::Reminder) {
      addToken(tokens.assistant);
      addToken(showsThinking(i) ? tokens.thinkBegin : tokens.thinkEnd);
    }
  }

  void addToken(int32_t token) {
    if (token < 0)
      error = TextError::MissingToken;
    else if (count == buffer.segments.size())
      error = TextError::OutputTooSmall;
    if (error == TextError::None)
      buffer.segments[count++] = {token, used, 0};
  }

  void addText(std::string_view text) {
    if (text.empty() || error != TextError::None)
      return;
    bool extend = count > 0 && buffer.segments[count - 1].token < 0;
    if (text.size() > buffer.text.size() - used ||
        (!extend && count == buffer.segments.size())) {
      error = TextError::OutputTooSmall;
      return;
    }
    if (!extend)
      buffer.segments[count++] = {-1, used, 0};
    std::memcpy(buffer.text.data() + used, text.data(), text.size());
    buffer.segments[count - 1].size += text.size();
    used += text.size();
  }

  std::span<const ChatMessage> messages;
  const ChatOptions &options;
  const ChatTokens &tokens;
  ChatBuffer buffer;
  size_t lastUser = 0; // number of the last user message, from 1; 0: none
  size_t count = 0;    // segments
  size_t used = 0;     // text bytes
  TextError error = TextError::None;
};

} // namespace

std::string_view effortText(ChatRelease release, ChatEffort effort) {
  bool preview = release == ChatRelease::Preview;
  if (effort == ChatEffort::Max)
    return preview ? maximumEffort : beyondMaximumEffort;
  if (effort == ChatEffort::High && !preview)
    return maximumEffort;
  return {};
}

bool hasEffort(ChatRelease release, ChatEffort effort) {
  return release != ChatRelease::Preview || effort != ChatEffort::Low;
}

TextError ChatTokens::resolve(const Tokenizer &tokenizer, ChatTokens &result) {
  // The bar is U+FF5C, the separator U+2581.
  result.bos = tokenizer.findControl("<｜begin▁of▁sentence｜>");
  result.eos = tokenizer.findControl("<｜end▁of▁sentence｜>");
  result.user = tokenizer.findControl("<｜User｜>");
  result.assistant = tokenizer.findControl("<｜Assistant｜>");
  result.thinkBegin = tokenizer.findControl("<think>");
  result.thinkEnd = tokenizer.findControl("</think>");
  result.reminder = tokenizer.findControl("<｜latest_reminder｜>");
  for (int32_t id : {result.bos, result.eos, result.user, result.assistant,
                     result.thinkBegin, result.thinkEnd})
    if (id < 0)
      return TextError::MissingToken;
  return TextError::None;
}

size_t chatTextBytes(std::span<const ChatMessage> messages,
                     const ChatOptions &options) {
  size_t bytes = effortText(options.release, options.effort).size();
  for (const ChatMessage &message : messages)
    bytes += message.content.size() + message.reasoning.size() +
             partSeparator.size();
  return bytes;
}

RenderedChat renderChat(std::span<const ChatMessage> messages,
                        const ChatOptions &options, const ChatTokens &tokens,
                        ChatBuffer buffer) {
  if (messages.empty() || messages[0].role == ChatRole::Assistant)
    return {TextError::BadMessage, {}};
  if (!hasEffort(options.release, options.effort))
    return {TextError::BadParameter, {}};
  return Renderer(messages, options, tokens, buffer).run();
}

CountResult encodeChat(const Tokenizer &tokenizer,
                       std::span<const ChatSegment> segments,
                       std::span<const char> text, std::span<int32_t> out,
                       std::span<std::byte> scratch) {
  size_t count = 0;
  for (const ChatSegment &segment : segments) {
    if (segment.token >= 0) {
      if (count == out.size())
        return {TextError::OutputTooSmall, 0};
      out[count++] = segment.token;
      continue;
    }
    CountResult result = tokenizer.encode(
        std::string_view(text.data() + segment.begin, segment.size),
        SpecialTokens::Plain, out.subspan(count), scratch);
    if (!result)
      return result;
    count += result.count;
  }
  return {TextError::None, count};
}

} // namespace dsv4::text
