// cosformer generate DIR --prompt TEXT: continues a text, token by token.

#include "cosformer/nn/generate.h"

#include <torch/utils.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <thread>

#include "cli/checks.h"
#include "cli/device_flag.h"
#include "cli/usage_error.h"
#include "cli/verbs.h"
#include "cli/weights_flag.h"
#include "data/tokenizer.h"
#include "train/device.h"
#include "train/run_folder.h"

namespace cosformer::cli {
namespace {

struct Flags {
  std::string folder, prompt;
  std::string weights = "best", device;
  nn::GenerationOptions options;
};

void run(const Flags& flags) {
  if (flags.prompt.empty()) throw UsageError("--prompt: expected text, got none");
  const std::filesystem::path folder = flags.folder;
  nn::LanguageModel model = nn::load_model(folder, which_weights(flags.weights));
  const train::Recipe recipe = train::read_run_recipe(folder);
  torch::set_num_threads(static_cast<int>(recipe.threads));
  model->to(train::open_device(flags.device.empty() ? recipe.train.device : flags.device));
  const auto tokenizer =
      data::Tokenizer::load(folder, data::parse_format(recipe.data.format), model->config().vocabulary_size);
  const std::vector<int64_t> prompt = tokenizer.encode(flags.prompt);
  std::optional<int64_t> before;
  if (!prompt.empty()) before = prompt.back();
  nn::generate(model, prompt, flags.options, [&](int64_t token) {
    const std::string text = tokenizer.decode(token, before);
    before = token;
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  });
}

}  // namespace

void add_generate(CLI::App& app) {
  auto* verb = app.add_subcommand("generate", "continue a text");
  auto flags = std::make_shared<Flags>();
  nn::GenerationOptions& options = flags->options;
  nn::SamplingOptions& sampling = options.sampling;
  verb->add_option("model", flags->folder, "folder of a run")->required();
  verb->add_option("--prompt", flags->prompt, "the text to continue")->required();
  verb->add_option("--tokens", options.tokens, "how many to add")->check(count(0))->capture_default_str();
  verb->add_option("--temperature", sampling.temperature, "divides the logits; 0 = the likeliest token")
      ->check(number(0, std::numeric_limits<double>::max(), "a number >= 0"))
      ->capture_default_str();
  verb->add_option("--top_k", sampling.top_k, "draw from the k likeliest tokens alone; 0 = from all")
      ->check(count(0))
      ->capture_default_str();
  verb->add_option("--top_p", sampling.top_p,
                   "draw from the fewest likeliest tokens whose probabilities reach this sum")
      ->check(number(std::numeric_limits<double>::min(), 1, "a number in (0, 1]"))
      ->capture_default_str();
  verb->add_option("--seed", options.seed, "the same gives the same text")->capture_default_str();
  add_weights(*verb, flags->weights);
  add_device(*verb, flags->device);
  verb->callback([flags] { run(*flags); });
}

}  // namespace cosformer::cli
