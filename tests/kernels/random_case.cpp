#include "kernels/random_case.h"

#include <iterator>
#include <sstream>

#include "kernels/under_test.h"

namespace cosformer::test {
namespace {

/// Keeps what belongs together together: H a multiple of G, causal with Tq = Tk, a horizon that holds all
/// positions.
void repair(RandomRun& run) {
  auto& s = run.c.shape;
  if (run.c.options.causal) s.Tk = s.Tq;
  if (s.G == 0) s.H = 0;
  if (s.G > 0) s.H = s.H / s.G * s.G;
  if (!run.c.options.causal) run.c.states = run.c.decay = false;
  const int64_t needed = std::max<int64_t>(1, std::max(s.Tq, s.Tk) + run.c.position + s.B);
  if (run.c.options.horizon) run.c.options.horizon = std::max(*run.c.options.horizon, needed);
  if (run.form == Form::recurrent && !run.c.options.causal) run.form = Form::automatic;
}

}  // namespace

std::string RandomRun::describe() const {
  std::ostringstream out;
  out << name(isa) << ", form " << static_cast<int>(form) << ", width " << width
      << (streams ? ", streams" : "") << (bfloat16 ? ", bfloat16 " : ", float ") << c.describe();
  return out.str();
}

RandomRun draw_run(uint64_t seed, int64_t large_one_in) {
  std::mt19937_64 engine(seed);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(engine() % static_cast<uint64_t>(n)); };
  const auto chance = [&](int64_t one_in) { return below(one_in) == 0; };
  const auto size = [&](int64_t most) {
    return chance(8) ? below(3) : chance(3) ? below(most) : 1 + below(most / 4);
  };
  RandomRun run;
  Case& c = run.c;
  c.seed = engine();
  c.shape.B = chance(16) ? 0 : 1 + below(3);
  c.shape.G = chance(32) ? 0 : 1 + below(3);
  c.shape.H = c.shape.G * (chance(3) ? 1 + below(5) : 1);
  const int64_t longest = chance(large_one_in) ? 160 : 40;
  c.shape.Tq = size(longest);
  c.shape.Tk = size(longest);
  c.shape.K = size(longest / 2);
  c.shape.V = size(longest / 2);
  c.options.causal = !chance(3);
  if (!chance(4)) c.options.horizon = 1 + below(chance(2) ? 200 : 1 << 20);
  c.options.feature_map = chance(4) ? FeatureMap::identity : FeatureMap::relu;
  c.options.normalize = !chance(4);
  c.options.eps = chance(4) ? 1.1F : 1e-6F;  // no sum of ties: there max(sum, eps) has no derivative
  c.layout = static_cast<Layout>(below(3));
  c.padding = static_cast<Padding>(below(5));
  if (c.padding == Padding::packed) c.layout = chance(2) ? Layout::contiguous : Layout::misaligned;
  c.states = chance(2);
  c.decay = chance(3);
  c.position = chance(2) ? 0 : below(50);
  if (chance(5)) c.values = Values::ties;
  const auto isas = under_test::isas();
  run.isa = isas[static_cast<size_t>(below(static_cast<int64_t>(isas.size())))];
  run.form = static_cast<Form>(below(4));
  run.width = static_cast<int>(1 + below(5));
  run.bfloat16 = chance(3);
  if (chance(32)) {  // wide heads, which have longer chunks
    c.shape.K += 90;
    c.shape.V += 90;
  }
  run.streams = chance(2);
  // By an engine of their own, so that three seeds in four mean what they meant before there were these
  // values.
  std::mt19937_64 extremes(~seed);
  if (extremes() % 4 == 0) {
    constexpr Values kExtreme[] = {Values::denormals, Values::large, Values::mixed};
    c.values = kExtreme[extremes() % std::size(kExtreme)];
  }
  repair(run);
  return run;
}

std::string check_results(const RandomRun& run, const Results& actual, const Allowance& allowance) {
  const Case& c = run.c;
  const Inputs<double> exact(c, run.bfloat16);
  const Results expected = run_reference(c, exact);
  const Results plain = run_plain(c, Inputs<float>(c, run.bfloat16));
  return find_error(actual, expected, rounding_scale(c, exact, expected), plain, allowance);
}

std::string check_run(const RandomRun& run) {
  const Case& c = run.c;
  const Execution execution{.isa = run.isa, .form = run.form, .width = run.width, .streams = run.streams};
  const Results actual = run.bfloat16 ? run_kernels(c, Inputs<bfloat16>(c, true), execution)
                                      : run_kernels(c, Inputs<float>(c, false), execution);
  return check_results(run, actual, allowance(c, run.form, run.isa, run.bfloat16));
}

RandomRun shrink(RandomRun run, const std::function<bool(const RandomRun&)>& fails) {
  using Change = std::function<void(RandomRun&)>;
  std::vector<Change> changes;
  for (int64_t AttentionShape::*size :
       {&AttentionShape::B, &AttentionShape::Tq, &AttentionShape::Tk, &AttentionShape::H, &AttentionShape::G,
        &AttentionShape::K, &AttentionShape::V}) {
    changes.push_back([size](RandomRun& r) { r.c.shape.*size /= 2; });
    changes.push_back([size](RandomRun& r) { r.c.shape.*size = std::max<int64_t>(0, r.c.shape.*size - 1); });
  }
  changes.push_back([](RandomRun& r) { r.c.options.horizon.reset(); });
  changes.push_back([](RandomRun& r) { r.c.options.normalize = true; });
  changes.push_back([](RandomRun& r) { r.c.options.causal = true; });
  changes.push_back([](RandomRun& r) { r.c.options.eps = 1e-6F; });
  changes.push_back([](RandomRun& r) { r.c.layout = Layout::contiguous; });
  changes.push_back([](RandomRun& r) { r.c.padding = Padding::none; });
  changes.push_back([](RandomRun& r) { r.c.states = false; });
  changes.push_back([](RandomRun& r) { r.c.decay = false; });
  changes.push_back([](RandomRun& r) { r.c.position = 0; });
  changes.push_back([](RandomRun& r) { r.c.values = Values::uniform; });
  changes.push_back([](RandomRun& r) { r.bfloat16 = false; });
  changes.push_back([](RandomRun& r) { r.width = 1; });
  changes.push_back([](RandomRun& r) { r.isa = Isa::generic; });
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (const Change& change : changes) {
      RandomRun tried = run;
      change(tried);
      repair(tried);
      if (tried.describe() != run.describe() && fails(tried)) {
        run = tried;
        smaller = true;
      }
    }
  }
  return run;
}

}  // namespace cosformer::test
