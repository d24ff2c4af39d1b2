#include "train/ranks/environment.h"

#include <gtest/gtest.h>

#include <map>

#include "support/errors.h"

namespace cosformer::train {
namespace {

using Variables = std::map<std::string, std::string>;

std::optional<RankEnvironment> read(const Variables& variables) {
  return rank_environment([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(RankEnvironment, IsNoneWithoutALauncher) {
  EXPECT_FALSE(read({}));
  EXPECT_FALSE(read({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}}));  // a batch script, not srun
}

TEST(RankEnvironment, OfOneProcessHasAStoreOfItsOwn) {
  const auto environment =
      read({{"RANK", "0"}, {"WORLD_SIZE", "1"}, {"MASTER_ADDR", "node1"}, {"MASTER_PORT", "x"}});
  ASSERT_TRUE(environment);
  EXPECT_EQ(environment->count, 1);
  EXPECT_EQ(environment->address, "127.0.0.1");
  EXPECT_EQ(environment->port, 0);
}

TEST(RankEnvironment, OfTorchrun) {
  const auto environment = read({{"RANK", "5"},
                                 {"WORLD_SIZE", "8"},
                                 {"LOCAL_RANK", "1"},
                                 {"LOCAL_WORLD_SIZE", "4"},
                                 {"MASTER_ADDR", "node1"},
                                 {"MASTER_PORT", "29500"},
                                 {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                 {"TORCHELASTIC_RESTART_COUNT", "2"}});
  ASSERT_TRUE(environment);
  EXPECT_EQ(environment->rank, 5);
  EXPECT_EQ(environment->count, 8);
  EXPECT_EQ(environment->local_rank, 1);
  EXPECT_EQ(environment->local_count, 4);
  EXPECT_EQ(environment->address, "node1");
  EXPECT_EQ(environment->port, 29500);
  EXPECT_TRUE(environment->has_agent_store);
  EXPECT_EQ(environment->attempt, 2);
}

TEST(RankEnvironment, OfMpi) {
  const auto open_mpi = read({{"OMPI_COMM_WORLD_RANK", "1"},
                              {"OMPI_COMM_WORLD_SIZE", "2"},
                              {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                              {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
  ASSERT_TRUE(open_mpi);
  EXPECT_EQ(open_mpi->rank, 1);
  EXPECT_EQ(open_mpi->address, "127.0.0.1");
  EXPECT_EQ(open_mpi->port, 29400);
  const auto mpich = read({{"PMI_RANK", "3"}, {"PMI_SIZE", "4"}, {"MASTER_ADDR", "head"}});
  ASSERT_TRUE(mpich);
  EXPECT_EQ(mpich->count, 4);
  EXPECT_EQ(mpich->address, "head");
}

TEST(RankEnvironment, OfSlurm) {
  const Variables srun = {{"SLURM_PROCID", "3"},
                          {"SLURM_STEP_NUM_TASKS", "8"},
                          {"SLURM_LOCALID", "1"},
                          {"SLURM_STEP_TASKS_PER_NODE", "2(x4)"},
                          {"SLURM_STEP_NODELIST", "node[07-09,11],login"}};
  const auto environment = read(srun);
  ASSERT_TRUE(environment);
  EXPECT_EQ(environment->rank, 3);
  EXPECT_EQ(environment->count, 8);
  EXPECT_EQ(environment->local_count, 2);
  EXPECT_EQ(environment->address, "node07");
  for (const auto& [list, first] :
       Variables{{"a,b", "a"}, {"alone", "alone"}, {"x[3]", "x3"}, {"y[12,4]", "y12"}}) {
    Variables other = srun;
    other["SLURM_STEP_NODELIST"] = list;
    EXPECT_EQ(read(other)->address, first) << list;
  }
}

TEST(RankEnvironment, NamesWhatIsWrong) {
  const Variables good = {{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"LOCAL_WORLD_SIZE", "2"}};
  const auto message = [&](const std::string& name, const std::string& value) {
    Variables bad = good;
    bad[name] = value;
    return test::message_of<RankError>([&] { read(bad); });
  };
  EXPECT_EQ(message("RANK", "2"), "RANK: expected an integer from 0 to 1, got \"2\"");
  EXPECT_EQ(message("WORLD_SIZE", "two"), "WORLD_SIZE: expected an integer from 1 to 1048576, got \"two\"");
  EXPECT_EQ(message("MASTER_PORT", "70000"),
            "MASTER_PORT: expected an integer from 1 to 65535, got \"70000\"");
  EXPECT_EQ(message("LOCAL_WORLD_SIZE", "1"), "MASTER_ADDR: expected the address of rank 0's host, got none");
  const Variables nowhere = {{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", ""}};
  EXPECT_EQ(test::message_of<RankError>([&] { read(nowhere); }),
            "MASTER_ADDR: expected the address of rank 0's host, got none");
}

}  // namespace
}  // namespace cosformer::train
