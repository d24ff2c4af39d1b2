// cosformer: flags, then one call. Exit codes: 0 done; 2 what the command line alone shows to be wrong; 1 all
// else.

#include <ATen/core/Tensor.h>

#include <cstdio>

#include "cli/usage_error.h"
#include "cli/verbs.h"
#include "io/build_info.h"

namespace {

int fail(const char* message, int code) {
  std::fprintf(stderr, "cosformer: %s\n", message);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace cosformer;
  CLI::App app("Linear attention with cosine re-weighting");
  app.name("cosformer");
  app.set_version_flag("--version", std::string("cosformer ") + io::version() + " (" + io::commit() + ")");
  app.require_subcommand(1);
  cli::add_bench(app);
  cli::add_data(app);
  cli::add_plot(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return fail(error.what(), 2);
  } catch (const cli::UsageError& error) {
    return fail(error.what(), 2);
  } catch (const c10::Error& error) {
    return fail(error.what_without_backtrace(), 1);
  } catch (const std::exception& error) {
    return fail(error.what(), 1);
  }
  return 0;
}
