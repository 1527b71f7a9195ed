// Winograd's minimal filtering F(4x4, 3x3): 36 multiplications for the 144 of 4 x 4 outputs.
//
// Winograd 1980; for ConvNets Lavin & Gray, CVPR 2016. The interpolation points are 0, +-1/sqrt 2,
// +-sqrt 2 and infinity: with them every product a^2 b^2 is 1 and float32 rounds about as in a
// direct convolution, which it does not with Lavin's 0, +-1, +-2.
//
// This file is included once for every instruction set, inside a namespace and under a pragma
// that names the set, so it includes nothing and calls nothing from outside. Loops over the lanes
// of a vector are written with the compilers' vector extension; wider vectors than the machine's
// are split by the compiler.

template <typename T>
struct Lanes {
  typedef T Vector __attribute__((vector_size(32)));
  static constexpr int count = 32 / sizeof(T);
};

#define CONVVIZ_INLINE static inline __attribute__((always_inline))

template <typename T>
CONVVIZ_INLINE typename Lanes<T>::Vector load(const T* from) {
  typename Lanes<T>::Vector v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

template <typename T>
CONVVIZ_INLINE void store(T* to, typename Lanes<T>::Vector v) {
  __builtin_memcpy(to, &v, sizeof v);
}

template <typename T>
struct Points {
  static constexpr T a = T(0.70710678118654752440), b = T(1.41421356237309504880);
};

// d -> B^T d: the values at the six points of the polynomial products' transpose.
template <typename T, typename V>
CONVVIZ_INLINE void transform_input(const V d[6], V out[6]) {
  constexpr T a = Points<T>::a, b = Points<T>::b;
  const V even_a = d[4] - T(2) * d[2], odd_a = a * (d[3] - T(2) * d[1]);
  const V even_b = d[4] - T(0.5) * d[2], odd_b = b * (d[3] - T(0.5) * d[1]);
  out[0] = d[0] - T(2.5) * d[2] + d[4];
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = d[1] - T(2.5) * d[3] + d[5];
}

// m -> A^T m: four outputs from the products at the six points.
template <typename T, typename V>
CONVVIZ_INLINE void transform_output(const V m[6], V out[4]) {
  constexpr T a = Points<T>::a, b = Points<T>::b;
  const V even_a = m[1] + m[2], odd_a = m[1] - m[2];
  const V even_b = m[3] + m[4], odd_b = m[3] - m[4];
  out[0] = m[0] + even_a + even_b;
  out[1] = a * odd_a + b * odd_b;
  out[2] = T(0.5) * even_a + T(2) * even_b;
  out[3] = T(0.5) * a * odd_a + T(2) * b * odd_b + m[5];
}

// The input transform of one tile, both ways; the value of point f goes to to[f * plane].
template <typename T>
CONVVIZ_INLINE void transform_tile(const T* const pixels[36], int64_t channels, T* to,
                                   int64_t plane) {
  using V = typename Lanes<T>::Vector;
  for (int64_t c = 0; c < channels; c += Lanes<T>::count) {
    V half[6][6];
    for (int j = 0; j < 6; ++j) {
      V d[6], t[6];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) d[i] = load(pixels[i * 6 + j] + c);
      transform_input<T>(d, t);
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) half[i][j] = t[i];
    }
    for (int i = 0; i < 6; ++i) {
      V t[6];
      transform_input<T>(half[i], t);
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) store(to + (i * 6 + j) * plane + c, t[j]);
    }
  }
}

// The output transform of one tile, with bias and rectifier; only what lies in the window is
// written.
template <typename T>
CONVVIZ_INLINE void write_tile(const T* products, int64_t plane, int64_t filters, const T* bias,
                               bool relu, const Tile<T>& tile) {
  using V = typename Lanes<T>::Vector;
  for (int64_t k = 0; k < filters; k += Lanes<T>::count) {
    V half[4][6];
    for (int j = 0; j < 6; ++j) {
      V m[6], t[4];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) m[i] = load(products + (i * 6 + j) * plane + k);
      transform_output<T>(m, t);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) half[i][j] = t[i];
    }
    const V shift = load(bias + k);
    for (int i = 0; i < tile.height; ++i) {
      V t[4];
      transform_output<T>(half[i], t);
      for (int j = 0; j < tile.width; ++j) {
        V y = t[j] + shift;
        if (relu) y = y <= T(0) ? V{} : y;  // NaN stays, as in torch's own
        store(tile.out + i * tile.row + j * filters + k, y);
      }
    }
  }
}

// Six tiles by two vectors of filters: 12 sums, 2 weights and 1 input fill the 16 registers of
// AVX2. `weights` holds, channel after channel, the filters of one panel.
template <typename T>
CONVVIZ_INLINE void multiply(const T* tiles, int64_t channels, const T* weights, T* to,
                             int64_t row) {
  using V = typename Lanes<T>::Vector;
  constexpr int lanes = Lanes<T>::count;
  V sum[6][2];
#pragma GCC unroll 6
  for (int r = 0; r < 6; ++r) sum[r][0] = sum[r][1] = V{};
  for (int64_t c = 0; c < channels; ++c) {
    const V first = load(weights + c * 2 * lanes), second = load(weights + c * 2 * lanes + lanes);
#pragma GCC unroll 6
    for (int r = 0; r < 6; ++r) {
      const T x = tiles[r * channels + c];
      sum[r][0] += x * first;
      sum[r][1] += x * second;
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < 6; ++r) {
    store(to + r * row, sum[r][0]);
    store(to + r * row + lanes, sum[r][1]);
  }
}

// Convolve the tiles of a block. `room` is scratch of `scratch_size` elements, zero where it was
// never written: a block is filled up to six tiles with what lies there.
template <typename T>
__attribute__((noinline)) static void convolve(const Layer<T>& layer, const Tile<T>* tiles,
                                               int64_t count, int64_t block, T* room) {
  constexpr int panel = 2 * Lanes<T>::count;
  const int64_t channels = layer.channels, filters = layer.filters;
  const int64_t in_plane = plane_size(block, channels), out_plane = plane_size(block, filters);
  T* products = room + 36 * in_plane;
  for (int64_t t = 0; t < count; ++t) {
    transform_tile(tiles[t].pixels, channels, room + t * channels, in_plane);
  }
  for (int64_t f = 0; f < 36; ++f) {
    for (int64_t k = 0; k < filters; k += panel) {
      const T* weights = layer.weights + (f * filters + k) * channels;
      for (int64_t t = 0; t < count; t += 6) {
        multiply(room + f * in_plane + t * channels, channels, weights,
                 products + f * out_plane + t * filters + k, filters);
      }
    }
  }
  for (int64_t t = 0; t < count; ++t) {
    write_tile(products + t * filters, out_plane, filters, layer.bias, layer.relu, tiles[t]);
  }
}

#undef CONVVIZ_INLINE
