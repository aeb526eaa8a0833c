// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// main() of every executable: picks the command.

#include "runtime/serve/cli.h"

#include <stdio.h>
#include <string.h>

using namespace dsv4::serve;

static constexpr struct {
  const char *name;
  int (*run)(const dsv4_program &, int, char **);
  const char *help;
} commands[] = {
    {"run", runCommand, "answer one prompt (-p TEXT, -f FILE, or stdin)"},
    {"chat", chatCommand, "talk in several turns"},
    {"logits", logitsCommand, "logits of given tokens, as safetensors"},
    {"bench", benchCommand, "measure speed, in llama-bench's conventions"},
    {"info", infoCommand, "identity, hashes, target, memory plan"},
    {"self-test", selfTestCommand, "check weights, kernels and known answers"},
};

static int help(FILE *to) {
  fprintf(
      to,
      "%s\ncompiled for %s\n\nUsage: MODEL COMMAND [options]; MODEL COMMAND "
      "--help lists them.\n\n",
      dsv4_program_root.identity, dsv4_program_root.target);
  for (const auto &command : commands)
    fprintf(to, "  %-10s %s\n", command.name, command.help);
  fputs("\nExamples:\n"
        "  MODEL run -p 'What is the capital of France?'\n"
        "  MODEL run -f notes.txt --system 'Answer in one line.' --temp 0\n"
        "  MODEL run --raw -p 'Once upon a time' -n 100 --seed 7\n"
        "  MODEL chat --context 8192\n"
        "  MODEL logits --tokens in.safetensors -o out.safetensors\n"
        "  MODEL bench -p 512 -n 128 -t 1,2,4 -o json\n"
        "  MODEL self-test\n",
        to);
  fputs("\nExit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n",
        to);
  return to == stdout ? finishStdout() : int(Usage);
}

int main(int argc, char **argv) {
  catchInterrupts();
  if (argc < 2)
    return help(stderr);
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
    return help(stdout);
  if (!strcmp(argv[1], "--version")) {
    printf("%s, ABI %u\n", dsv4_program_root.identity,
           dsv4_program_root.abi_version);
    return finishStdout();
  }
  for (const auto &command : commands)
    if (!strcmp(argv[1], command.name))
      return command.run(dsv4_program_root, argc - 2, argv + 2);
  fprintf(stderr, "error: unknown command '%s'\n\n", argv[1]);
  return help(stderr);
}
