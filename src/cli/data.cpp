// cosformer data: prepares text for training.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "cli/usage_error.h"
#include "cli/verbs.h"
#include "data/corpus.h"
#include "io/xml_text.h"

namespace cosformer::cli {
namespace {

constexpr std::size_t kMostNamed = 10;  // The rest stands in corpus.json.

struct CorpusFlags {
  std::string source, output;
};

void run_corpus(const CorpusFlags& flags) {
  if (flags.source.empty()) throw UsageError("source: expected a file or a folder, got an empty name");
  if (flags.output.empty()) throw UsageError("--output: expected a folder, got an empty name");
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
  verb->add_option("source", flags->source, "file, or folder that is read with all below it")->required();
  verb->add_option("--output", flags->output, "folder to write: train.txt, valid.txt, corpus.json")
      ->required();
  verb->callback([flags] { run_corpus(*flags); });
}

}  // namespace

void add_data(CLI::App& app) {
  auto* data = app.add_subcommand("data", "prepare text for training");
  data->require_subcommand(1);
  add_corpus(*data);
}

}  // namespace cosformer::cli
