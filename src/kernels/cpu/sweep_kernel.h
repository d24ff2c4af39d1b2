#pragma once

// A sweep over the chunks of a group of heads (docs/kernels.md). A chunk's y and u are packed once; blocks of
// R rows of x are packed and scored with the rows of y that they see; then each panel of columns of the state
// is read by the blocks and takes the chunk in, while it lies in the first-level cache.

#include "kernels/cpu/block_kernel.h"

namespace cosformer::cpu {
namespace {

/// What happens to the state while its panels are visited.
struct Update {
  int64_t count = 0;  // rows of each head that it takes in; 0: none
  float fade = 1;
};

template <int N, class P>
COSFORMER_INLINE void read_twin_panel(const P& p, const Block& block, int64_t column, int64_t panel) {
  if (!p.twin || !block.inter) return;
  if (column == 0) {
    read_twin<true, N>(p, block, column, panel);
  } else {
    read_twin<false, N>(p, block, column, panel);
  }
}

/// Blocks read the panels one after another. Rows ahead are asked for in the loops of the read tiles.
template <int N, class P, class T>
void read_panels(const Sweep<T>& s, const P& p, const Block* blocks, int64_t count, bool pairs,
                 Prefetch& ahead) {
  // At least one tile: K or V may be 0.
  ahead.spread(panels_of(p.ld_u) * (R / kTileRows) * count + 1, p.X / P::kContraction);
  for_panels(p.ld_u, [&]<int V>(int64_t column) {
    for (int64_t b = 0; b < count; ++b) {
      if (!s.twin_alone) read_panel<N, V>(s, p, blocks[b], column, pairs, &ahead);
      read_twin_panel<N>(p, blocks[b], column, V * W);
    }
  });
}

/// Each panel is read, then takes the chunk in. Rows ahead are asked for in the loops of the update tiles.
template <int N, class P, class T>
void read_and_update_panels(const Sweep<T>& s, const P& p, const Block* blocks, int64_t count, bool pairs,
                            const Update& update, Prefetch& ahead) {
  ahead.spread(panels_of(p.ld_u) * (p.rows / kTileRows) * s.y_heads + 1, s.chunk / P::kContraction);
  for_panels(p.ld_u, [&]<int V>(int64_t column) {
    for (int64_t b = 0; b < count; ++b) {
      if (!s.twin_alone) read_panel<N, V>(s, p, blocks[b], column, pairs, nullptr);
      read_twin_panel<N>(p, blocks[b], column, V * W);
    }
    if (update.fade != 1) {
      update_panel<N, V, true>(s, p, column, update.count, update.fade, ahead);
    } else {
      update_panel<N, V, false>(s, p, column, update.count, update.fade, ahead);
    }
  });
}

/// Works on a group of blocks, and lets the state take the chunk in after it.
template <int N, class P, class T>
void finish_group(const Sweep<T>& s, const P& p, Block* blocks, int64_t count, bool pairs,
                  const Update& update, Prefetch& ahead) {
  for (int64_t b = 0; b < count; ++b) {
    begin_block(s, p, blocks[b]);
    score_block(s, p, blocks[b], pairs);
  }
  if (update.count > 0) {
    read_and_update_panels<N>(s, p, blocks, count, pairs, update, ahead);
  } else {
    read_panels<N>(s, p, blocks, count, pairs, ahead);
  }
  for (int64_t b = 0; p.twin && b < count; ++b) finish_twin(s, p, blocks[b], pairs);
  if (update.count > 0) update_sum<N>(s, p, update.count, update.fade);
}
template <class P, class T>
void finish_group(const Sweep<T>& s, const P& p, Block* blocks, int64_t count, bool pairs,
                  const Update& update, Prefetch& ahead) {
  if (s.N == 2) {
    finish_group<2>(s, p, blocks, count, pairs, update, ahead);
  } else {
    finish_group<1>(s, p, blocks, count, pairs, update, ahead);
  }
}

/// Rows [first, first + count) of every matrix on a side that a chunk reads or writes.
template <class P, class T>
void add_y_rows_ahead(Prefetch& ahead, const Sweep<T>& s, const P& p, int64_t first, int64_t count) {
  for (int64_t h = 0; h < s.y_heads; ++h) {
    ahead.add(s.y, s.y_side, h, first, count, 0, s.X);
    ahead.add(s.u, s.y_side, h, first, count, s.u_begin, p.columns);
  }
}
template <class P, class T>
void add_x_rows_ahead(Prefetch& ahead, const Sweep<T>& s, const P& p, int64_t first, int64_t count) {
  for (int64_t h = 0; h < s.x_heads; ++h) {
    ahead.add(s.x, s.x_side, h, first, count, 0, s.X);
    ahead.add(s.gate, s.x_side, h, first, count, s.u_begin, p.columns);
    ahead.add(s.w, s.x_side, h, first, count, s.u_begin, p.columns);
    ahead.add(s.twin_gate, s.x_side, h, first, count, 0, s.X);
    if (s.streams) {
      ahead.add_pages(s.out, s.x_side, h, first, count, s.u_begin);
      ahead.add_pages(s.twin, s.x_side, h, first, count, 0);
    } else {
      ahead.add(s.out, s.x_side, h, first, count, s.u_begin, p.columns);
      ahead.add(s.twin, s.x_side, h, first, count, 0, s.X);
    }
  }
}

/// Blocks of a group lie one after another in the plan's memory.
template <class P, class T>
void place_blocks(Block (&blocks)[kMostBlocks], const P& p, const Sweep<T>& s) {
  for (int64_t b = 0; b < p.group; ++b) lay_out(blocks[b], p, s, p.block + b * p.block_floats);
}

/// One chunk of one sweep: its blocks read, then the state takes its rows in.
template <class P, class T>
void causal_chunk(const Sweep<T>& s, const P& p, int64_t chunk, Block (&blocks)[kMostBlocks],
                  Prefetch& ahead) {
  const int64_t count = smaller(s.chunk, s.y_side.count - chunk);
  const bool update = chunk + count < s.y_side.count || s.last.data;
  pack_chunk(s, p, chunk, count, update);
  const int64_t of_head = (count + R - 1) / R, total = of_head * s.x_heads;
  // Once even without queries: the state takes the keys in.
  for (int64_t b0 = 0; b0 == 0 || b0 < total; b0 += p.group) {
    const int64_t group = smaller(p.group, total - b0);
    for (int64_t b = 0; b < group; ++b) {
      Block& block = blocks[b];
      const int64_t first = (b0 + b) % of_head * R;
      block.head = (b0 + b) / of_head;
      block.first = chunk + first;
      block.count = smaller(R, count - first);
      block.chunk_first = chunk;
      block.keys = first;
      block.triangle = true;
      block.inter = chunk > 0 || s.first.data;
    }
    Update change;
    if (update && b0 + group >= total) change = {count, s.decay ? s.decay[count] : 1.0F};
    finish_group(s, p, blocks, group, true, change, ahead);
  }
}

/// The plan of one of several sweeps, whose states lie one after another.
template <class P>
P plan_of(P p, int64_t sweep) {
  move_state(p, sweep * p.floats_each_further);
  return p;
}

/// The same with a state elsewhere.
template <class P>
P plan_of(const P& first, int64_t sweep, float* state) {
  P p = plan_of(first, sweep);
  place_state(p, state);
  return p;
}

/// Sweeps take turns, `step` rows at a time: rows of neighbouring heads share memory pages, so each page is
/// visited once. work(i, row, ahead) is given what add(ahead, i, row, count) has listed of the turn after it.
template <class Add, class Work>
COSFORMER_INLINE void in_turns(int64_t sweeps, int64_t rows, int64_t step, const Add& add, const Work& work) {
  for (int64_t row = 0; row < rows; row += step) {
    for (int64_t i = 0; i < sweeps; ++i) {
      const bool last = i + 1 == sweeps;
      const int64_t next = last ? row + step : row;
      Prefetch ahead;
      if (next < rows) add(ahead, last ? 0 : i + 1, next, smaller(step, rows - next));
      if (last) ahead.touch_pages();  // the other sweeps' rows lie on the same pages
      work(i, row, ahead);
    }
  }
}

template <class P, class T>
void causal(const Sweep<T>* sweeps, int64_t count, float* scratch) {
  const P first = make_plan<P>(sweeps[0], scratch);
  begin_sweeps(first);
  Block blocks[kMostBlocks];
  place_blocks(blocks, first, sweeps[0]);
  for (int64_t i = 0; i < count; ++i) {
    const P p = plan_of(first, i);
    clear_state(sweeps[i], p);
    if (sweeps[i].first.data) convert_state<false>(sweeps[i], p, sweeps[i].first);
    refresh_copies(sweeps[i], p);
  }
  const auto add = [&](Prefetch& ahead, int64_t i, int64_t row, int64_t rows) {
    add_y_rows_ahead(ahead, sweeps[i], first, row, rows);
    add_x_rows_ahead(ahead, sweeps[i], first, row, rows);
  };
  in_turns(count, sweeps[0].y_side.count, sweeps[0].chunk, add, [&](int64_t i, int64_t row, Prefetch& ahead) {
    causal_chunk(sweeps[i], plan_of(first, i), row, blocks, ahead);
  });
  for (int64_t i = 0; i < count; ++i) {
    if (sweeps[i].last.data) convert_state<true>(sweeps[i], plan_of(first, i), sweeps[i].last);
  }
  finish_streams();
  end_sweeps(first);
}

/// The blocks of rows [x_first, x_first + x_count) of every head, `keys` rows of y for each.
template <class P, class T>
void run_blocks(const Sweep<T>& s, const P& p, int64_t x_first, int64_t x_count, int64_t keys, bool inter,
                Prefetch& ahead) {
  Block blocks[kMostBlocks];
  place_blocks(blocks, p, s);
  const int64_t of_head = (x_count + R - 1) / R, total = of_head * s.x_heads;
  for (int64_t b0 = 0; b0 < total; b0 += p.group) {
    const int64_t group = smaller(p.group, total - b0);
    for (int64_t b = 0; b < group; ++b) {
      Block& block = blocks[b];
      const int64_t first = (b0 + b) % of_head * R;
      block.head = (b0 + b) / of_head;
      block.first = x_first + first;
      block.count = smaller(R, x_count - first);
      block.keys = keys;
      block.inter = inter;
    }
    finish_group(s, p, blocks, group, keys > 0, {}, ahead);
  }
}

template <class P, class T>
void dense(const Sweep<T>& s, int64_t x_first, int64_t x_count, float* scratch) {
  const P p = make_plan<P>(s, scratch);
  begin_sweeps(p);
  pack_chunk(s, p, 0, s.y_side.count, false);
  // Rows of y beyond the last are zero and add nothing to a sum.
  Prefetch nothing_ahead;
  run_blocks(s, p, x_first, x_count, p.head_keys, false, nothing_ahead);
  finish_streams();
  end_sweeps(p);
}

template <class P, class T>
void accumulate(const Sweep<T>* sweeps, int64_t count, int64_t y_first, int64_t y_count, float* const* states,
                float* scratch) {
  P first = make_plan<P>(sweeps[0], scratch);
  leave_copies(first);
  begin_sweeps(first);
  for (int64_t i = 0; i < count; ++i) clear_state(sweeps[i], plan_of(first, i, states[i]));
  const int64_t chunk = sweeps[0].chunk;
  const auto add = [&](Prefetch& ahead, int64_t i, int64_t row, int64_t rows) {
    add_y_rows_ahead(ahead, sweeps[i], first, y_first + row, rows);
  };
  in_turns(count, y_count, chunk, add, [&](int64_t i, int64_t row, Prefetch& ahead) {
    const Sweep<T>& s = sweeps[i];
    const P p = plan_of(first, i, states[i]);
    const int64_t rows = smaller(chunk, y_count - row);
    pack_chunk(s, p, y_first + row, rows, true);
    finish_group(s, p, nullptr, 0, false, {rows, s.decay ? s.decay[rows] : 1.0F}, ahead);
  });
  end_sweeps(first);
}

template <class P, class T>
void read(const Sweep<T>* sweeps, int64_t count, int64_t x_first, int64_t x_count, const float* const* states,
          float* scratch) {
  const P first = make_plan<P>(sweeps[0], scratch);
  begin_sweeps(first);
  const auto plan = [&](int64_t i) { return plan_of(first, i, const_cast<float*>(states[i])); };
  for (int64_t i = 0; i < count; ++i) refresh_copies(sweeps[i], plan(i));
  const int64_t stretch = kMostBlocks * R;
  const auto add = [&](Prefetch& ahead, int64_t i, int64_t row, int64_t rows) {
    add_x_rows_ahead(ahead, sweeps[i], first, x_first + row, rows);
  };
  in_turns(count, x_count, stretch, add, [&](int64_t i, int64_t row, Prefetch& ahead) {
    run_blocks(sweeps[i], plan(i), x_first + row, smaller(stretch, x_count - row), 0, true, ahead);
  });
  finish_streams();
  end_sweeps(first);
}

}  // namespace
}  // namespace cosformer::cpu
