// cosformer: flags, then one call. Exit codes: 0 done; 2 what the command line and recipe alone show to be
// wrong; 3 stopped by a signal, with a checkpoint written; 1 all else.

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdio>

#include "cli/stopped.h"
#include "cli/usage_error.h"
#include "cli/verbs.h"
#include "io/build_info.h"
#include "io/xml_text.h"
#include "train/recipe.h"

namespace {

/// One line, whatever the message quotes.
int fail(const char* message, int code) {
  std::string line = cosformer::io::valid_text(message);
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::fprintf(stderr, "cosformer: %s\n", line.c_str());
  return code;
}

/// "trian: expected one of ...", or nothing for a verb or a flag.
std::string unknown_verb(const CLI::App& app, const std::string& word) {
  if (word.starts_with('-')) return {};
  std::string verbs;
  for (const CLI::App* verb : app.get_subcommands(nullptr)) {
    if (verb->get_name() == word) return {};
    verbs += (verbs.empty() ? "" : ", ") + verb->get_name();
  }
  return word + ": expected one of " + verbs;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace cosformer;
  CLI::App app("Linear attention with cosine re-weighting");
  app.name("cosformer");
  app.set_version_flag("--version", std::string("cosformer ") + io::version() + " (" + io::commit() + ")");
  app.require_subcommand(1);
  cli::add_train(app);
  cli::add_evaluate(app);
  cli::add_generate(app);
  cli::add_describe(app);
  cli::add_bench(app);
  cli::add_data(app);
  cli::add_plot(app);
  cli::add_profile(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    if (argc > 1) {
      if (const std::string message = unknown_verb(app, argv[1]); !message.empty())
        return fail(message.c_str(), 2);
    }
    return fail(error.what(), 2);
  } catch (const cli::UsageError& error) {
    return fail(error.what(), 2);
  } catch (const train::RecipeError& error) {
    return fail(error.what(), 2);
  } catch (const cli::Stopped& error) {
    return fail(error.what(), 3);
  } catch (const cli::SaidBefore& ended) {
    return ended.code;
  } catch (const c10::Error& error) {
    return fail(error.what_without_backtrace(), 1);
  } catch (const std::exception& error) {
    return fail(error.what(), 1);
  }
  return 0;
}
