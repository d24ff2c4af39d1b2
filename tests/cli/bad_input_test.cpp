#include <sys/resource.h>

#include <cstring>

#include "cli/verbs_test.h"
#include "cosformer/cuda.h"
#include "cosformer/isa.h"
#include "support/small_disk.h"

namespace cosformer::cli::test {
namespace {

using cosformer::test::read_text;
using cosformer::test::SmallDisk;

TEST_F(Verbs, CommandLinesThatAreWrongEndWith2) {
  expect_error(run({}), 2, "subcommand");
  expect_error(run({"trian"}), 2, "trian: expected one of train, evaluate, ");
  expect_error(run({"train"}), 2, "recipe is required");
  expect_error(run({"train", recipe()}), 2, "--output is required");
  expect_error(train("run", {"more"}), 2, "more: expected an override --key=value");
  expect_error(run({"train", recipe(), "--output", ""}), 2, "--output: expected a folder, got an empty name");
  expect_error(run({"train", path("data"), "--output", path("run")}), 2,
               "data: expected a TOML file, got a folder");
  expect_error(train("run", {"--init", ""}), 2, "--init: expected a folder, got an empty name");
  expect_error(train("run", {"--ranks=0"}), 2, "--ranks: Value 0 not in range 1 to 1024");
  expect_error(train("run", {"--ranks=4"}), 2,
               "train.batch_size: expected a row for each group of ranks, at least 4, got 3");
  expect_error(run({"train", "--replay", path("step"), "--resume"}), 2, "--resume excludes --replay");
  expect_error(run({"evaluate", path("run"), "--weights=worst"}), 2, "worst");
  expect_error(run({"evaluate", path("run"), "--split=dev"}), 2, "dev");
  expect_error(run({"generate", path("run")}), 2, "--prompt is required");
  expect_error(run({"generate", path("run"), "--prompt", ""}), 2, "--prompt: expected text, got none");
  const auto generate = [&](const char* flag) {
    return run({"generate", path("run"), "--prompt", "a", flag});
  };
  expect_error(generate("--temperature=-1"), 2, "--temperature: expected a number >= 0, got -1");
  expect_error(generate("--temperature=nan"), 2, "--temperature: expected a number >= 0, got nan");
  expect_error(generate("--top_p=1.5"), 2, "--top_p: expected a number in (0, 1], got 1.5");
  expect_error(generate("--top_p=nan"), 2, "--top_p: expected a number in (0, 1], got nan");
  expect_error(generate("--tokens=-1"), 2, "--tokens: expected an integer >= 0, got -1");
  expect_error(generate("--top_k=-1"), 2, "--top_k: expected an integer >= 0, got -1");
  expect_error(generate("--tokens=many"), 2, "--tokens");
  expect_error(run({"bench", "compare", path("run"), "--prompt", ""}), 2,
               "--prompt: expected text, got none");
}

TEST_F(Verbs, RecipesThatAreWrongEndWith2AndLeaveNothing) {
  expect_error(train("run", {"--train.step=3"}), 2, "unknown key train.step; the nearest is train.steps");
  expect_error(train("run", {"--train.steps=few"}), 2,
               "--train.steps: expected an integer >= 1, got \"few\"");
  expect_error(train("run", {"--optimizer.beta1=2"}), 2, "--optimizer.beta1: expected a number in [0, ");
  expect_error(train("run", {"--model.horizon=15"}), 2,
               "--model.horizon: expected at least train.sequence_length = 16, got 15");
  expect_error(train("run", {"--train.cuda_graphs=true"}), 2,
               "--train.cuda_graphs: expected false for train.device = \"cpu\", got true");
  expect_error(run({"train", path("none.toml"), "--output", path("run")}), 2, "none.toml: ");
  folder_.write("bad.toml", "seed = = 1\n");
  expect_error(run({"train", path("bad.toml"), "--output", path("run")}), 2, "bad.toml: line 1: ");
  EXPECT_FALSE(std::filesystem::exists(path("run")));
}

TEST_F(Verbs, ADeviceThatIsNotThereEndsWith1) {
  expect_error(train("run", {"--train.device=gpu"}), 2, "--train.device: expected cpu | cuda, got \"gpu\"");
  expect_error(run({"evaluate", path("run"), "--device=gpu"}), 2, "--device: gpu not in {cpu,cuda}");
  if (cuda::is_available()) GTEST_SKIP() << "there is a GPU";
  const std::string reason = cuda::is_built()
                                 ? "device cuda: expected a GPU, got none: "
                                 : "device cuda: this build has no CUDA, expected one configured with "
                                   "COSFORMER_CUDA=ON";
  expect_error(train("run", {"--train.device=cuda"}), 1, reason);
  EXPECT_FALSE(std::filesystem::exists(path("run")));
  expect_error(run({"profile", recipe(), "--train.device=cuda"}), 1, reason);
  ASSERT_EQ(train("run").exit_code, 0);
  expect_error(run({"evaluate", path("run"), "--device=cuda"}), 1, reason);
  expect_error(run({"generate", path("run"), "--prompt", "a", "--device=cuda"}), 1, reason);
  expect_error(train("run", {"--resume", "--train.steps=12", "--train.device=cuda"}), 1, reason);
}

TEST_F(Verbs, DataThatIsWrongEndsWith1) {
  expect_error(train("run", {"--data.path=" + path("none")}), 1,
               "none: expected a folder with the data, got none");
  folder_.write("empty/train.txt", "");
  expect_error(train("run", {"--data.path=" + path("empty")}), 1,
               "train.txt: expected at least 17 tokens, got 0");
  folder_.write("empty/train.txt", "0123456789abcdef");
  expect_error(train("run", {"--data.path=" + path("empty")}), 1,
               "train.txt: expected at least 17 tokens, got 16");
  folder_.write("empty/train.txt", "0123456789abcdefg");
  expect_error(train("run", {"--data.path=" + path("empty")}), 1,
               "split valid: expected valid.txt, got none");
}

TEST_F(Verbs, FoldersThatAreNoRunEndWith1) {
  expect_error(run({"evaluate", path("none")}), 1, "none/config.json: cannot open: No such file");
  expect_error(run({"generate", path("none"), "--prompt", "a"}), 1, "none/config.json: cannot open");
  expect_error(train("tiny.toml"), 1, "tiny.toml: cannot create");
}

TEST_F(Verbs, AFolderThatHoldsARunIsNotTouched) {
  ASSERT_EQ(train("run").exit_code, 0);
  const std::string before = read_text(path("run/metrics.jsonl"));
  expect_error(train("run"), 1, "run: expected a folder without a run; --resume continues the one there");
  expect_error(train("run", {"--resume", "--seed=2"}), 1, "seed: the run has 1, got 2");
  EXPECT_EQ(read_text(path("run/metrics.jsonl")), before);
}

TEST_F(Verbs, BeyondTheHorizonThereIsAnErrorThatNamesItAndThePosition) {
  ASSERT_EQ(train("run").exit_code, 0);
  expect_error(run({"generate", path("run"), "--prompt", "abc", "--tokens=15"}), 1,
               "position 16 is beyond the horizon M = 16");
  expect_error(run({"generate", path("run"), "--prompt", std::string(17, 'a'), "--tokens=0"}), 1,
               "position 16 is beyond the horizon M = 16");
  EXPECT_EQ(run({"generate", path("run"), "--prompt", "abc", "--tokens=14"}).exit_code, 0);
  expect_error(run({"evaluate", path("run"), "--sequence_length=17"}), 1,
               "position 16 is beyond the horizon M = 16");
}

TEST_F(Verbs, DamagedWeightsEndWith1) {
  ASSERT_EQ(train("run").exit_code, 0);
  std::filesystem::resize_file(path("run/best/model.safetensors"), 50'000);
  expect_error(run({"evaluate", path("run")}), 1, "best/model.safetensors: ");
  EXPECT_EQ(run({"evaluate", path("run"), "--weights=last"}).exit_code, 0);
}

TEST_F(Verbs, AnInstructionSetThatIsUnknownEndsWith1) {
  setenv("COSFORMER_ISA", "mmx", 1);
  expect_error(train("run"), 1, "mmx");
  unsetenv("COSFORMER_ISA");
  EXPECT_EQ(train("run", {"--train.steps=1"}).exit_code, 0) << "the folder holds no run yet";
}

TEST_F(Verbs, AnInstructionSetThatTheMachineLacksEndsWith1) {
  for (const Isa isa : {Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::amx}) {
    if (available(isa)) continue;
    const std::string lacks = std::string("this machine lacks ") + name(isa);
    setenv("COSFORMER_ISA", name(isa), 1);
    expect_error(train(name(isa)), 1, lacks);
    unsetenv("COSFORMER_ISA");
    expect_error(run({"bench", "attention", "--lengths=16", std::string("--isa=") + name(isa)}), 1,
                 std::string("--isa: this machine lacks the instruction set ") + name(isa));
  }
}

TEST_F(Verbs, TooLittleMemoryNamesTheKeysToLower) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  rlimit limited = before;
  limited.rlim_cur = 2'500'000'000;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limited), 0);
  const Ended ended = train("run", {"--train.batch_size=200000"});
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  expect_error(ended, 1, "step 1: out of memory; lower train.batch_size (");
}

TEST_F(Verbs, AReadOnlyFolderEndsWith1) {
  const SmallDisk disk(path("disk"), "size=1m");
  if (disk.error() != 0) GTEST_SKIP() << "cannot mount a tmpfs here: " << std::strerror(disk.error());
  disk.make_read_only();
  expect_error(train("disk/run"), 1, "disk/run: cannot create: Read-only file system");
  disk.resize("size=20m");
  ASSERT_EQ(train("disk/run", {"--train.steps=4"}).exit_code, 0);
  disk.make_read_only();
  const auto resumed = train("disk/run", {"--train.steps=4", "--resume"});
  EXPECT_EQ(resumed.exit_code, 1);
  EXPECT_EQ(resumed.out, "finished before, at step 4\n");
  EXPECT_NE(resumed.err.find("Read-only file system"), std::string::npos) << resumed.err;
  EXPECT_EQ(std::count(resumed.err.begin(), resumed.err.end(), '\n'), 1) << resumed.err;
  EXPECT_EQ(run({"evaluate", path("disk/run")}).exit_code, 0) << "which writes nothing";
}

TEST_F(Verbs, AFullDiskEndsWith1AndTheLastCheckpointIsWhole) {
  const SmallDisk disk(path("disk"), "size=700k");
  if (disk.error() != 0) GTEST_SKIP() << "cannot mount a tmpfs here: " << std::strerror(disk.error());
  const std::vector<std::string> keep_all = {"--train.keep_checkpoints=100", "--train.checkpoint_every=1"};
  const Ended ended = train("disk/run", keep_all);
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_NE(ended.err.find("No space left on device"), std::string::npos) << ended.err;
  EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
  disk.resize("size=20m");
  const Ended resumed = train("disk/run", {keep_all[0], keep_all[1], "--resume"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(resumed.out.substr(0, 22), "continuing after step ") << resumed.out;
  ASSERT_EQ(train("whole").exit_code, 0);
  EXPECT_EQ(read_text(path("disk/run/model.safetensors")), read_text(path("whole/model.safetensors")));
}

}  // namespace
}  // namespace cosformer::cli::test
