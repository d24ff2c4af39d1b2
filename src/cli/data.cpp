// cosformer data: prepares text for training.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cli/checks.h"
#include "cli/usage_error.h"
#include "cli/verbs.h"
#include "data/corpus.h"
#include "data/make_shards.h"
#include "io/xml_text.h"

namespace cosformer::cli {
namespace {

constexpr std::size_t kMostNamed = 10;  // The rest stands in corpus.json.

struct CorpusFlags {
  std::string source, output;
};

void run_corpus(const CorpusFlags& flags) {
  const data::Corpus corpus = data::write_corpus(flags.source, flags.output);
  const auto& left_out = corpus.source.left_out;
  for (std::size_t i = 0; i < std::min(left_out.size(), kMostNamed); ++i) {
    std::printf("left out: %s\n", io::valid_text(left_out[i].path + ": " + left_out[i].why).c_str());
  }
  if (left_out.size() > kMostNamed) {
    std::printf("left out: %zu more, see corpus.json\n", left_out.size() - kMostNamed);
  }
  std::printf("read %zu file%s, %zu bytes\n", corpus.source.files.size(),
              corpus.source.files.size() == 1 ? "" : "s", corpus.source.text.size());
  std::printf("%s/train.txt: %llu bytes, %llu that nearly repeat the validation part left out\n",
              flags.output.c_str(), static_cast<unsigned long long>(corpus.train_bytes),
              static_cast<unsigned long long>(corpus.repeated_bytes));
  std::printf("%s/valid.txt: %llu bytes\n", flags.output.c_str(),
              static_cast<unsigned long long>(corpus.valid_bytes));
}

void add_corpus(CLI::App& data) {
  auto* verb = data.add_subcommand("corpus", "split text into a training and a validation part");
  auto flags = std::make_shared<CorpusFlags>();
  verb->add_option("source", flags->source, "file, or folder that is read with all below it")
      ->required()
      ->check(named("a file or a folder"));
  verb->add_option("--output", flags->output, "folder to write: train.txt, valid.txt, corpus.json")
      ->required()
      ->check(named("a folder"));
  verb->callback([flags] { run_corpus(*flags); });
}

struct ShardFlags {
  std::string source, output, format = "bytes";
  std::vector<std::string> splits;
  int64_t shard_tokens = data::kShardTokens;
  int workers = 0;
};

void run_shard(const ShardFlags& flags) {
  for (auto split = flags.splits.begin(); split != flags.splits.end(); ++split) {
    if (std::find(flags.splits.begin(), split, *split) != split)
      throw UsageError("--split: expected each split once, got " + *split + " twice");
  }
  data::ShardRequest request = {flags.source, data::parse_format(flags.format), flags.splits,
                                flags.shard_tokens};
  if (request.splits.empty()) request.splits = data::splits_of_text(request.source, request.format);
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const data::ShardsMade made =
      data::make_shards(request, flags.workers > 0 ? flags.workers : cores, flags.output,
                        [&](std::size_t done, std::size_t all) {
                          if (terminal)
                            std::fprintf(stderr, "\rshard %zu of %zu%s", done, all, done == all ? "\n" : "");
                        });
  for (const auto& split : made.splits) {
    std::printf("%s/%s: %lld tokens in %zu shard%s\n", flags.output.c_str(), split.split.c_str(),
                static_cast<long long>(split.tokens), split.shards, split.shards == 1 ? "" : "s");
  }
  if (made.kept > 0) std::printf("%zu of an earlier run kept\n", made.kept);
  std::printf("vocabulary: %lld\n", static_cast<long long>(made.vocabulary_size));
}

void add_shard(CLI::App& data) {
  auto* verb = data.add_subcommand("shard", "make token shards of a text, for data.format = shards");
  auto flags = std::make_shared<ShardFlags>();
  verb->add_option("source", flags->source, "folder of the text, as data.path is for the format")
      ->required()
      ->check(named("a folder"));
  verb->add_option("--output", flags->output,
                   "folder to write; one with shards of the same text is gone on with")
      ->required()
      ->check(named("a folder"));
  verb->add_option("--format", flags->format, "bytes or wikitext")
      ->check(CLI::IsMember({"bytes", "wikitext"}))
      ->capture_default_str();
  verb->add_option("--split", flags->splits,
                   "train, valid, test, or several of them; default those that are there")
      ->check(CLI::IsMember({"train", "valid", "test"}))
      ->delimiter(',');
  verb->add_option("--shard_tokens", flags->shard_tokens, "tokens of a shard, but of the last one")
      ->check(CLI::Range(int64_t{1} << 10, int64_t{1} << 40))
      ->capture_default_str();
  verb->add_option("--workers", flags->workers, "threads; default the cores at hand")
      ->check(CLI::Range(1, 1024));
  verb->callback([flags] { run_shard(*flags); });
}

}  // namespace

void add_data(CLI::App& app) {
  auto* data = app.add_subcommand("data", "prepare text for training");
  data->require_subcommand(1);
  add_corpus(*data);
  add_shard(*data);
}

}  // namespace cosformer::cli
