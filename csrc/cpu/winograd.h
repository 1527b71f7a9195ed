// Winograd's minimal filtering F(4x4, 3x3): 36 multiplications instead of 144 for 4 x 4 outputs.
//
// Winograd 1980; for ConvNets Lavin & Gray, CVPR 2016. The interpolation points are 0, +-a, +-b and
// infinity with a = 1/sqrt 2 and b = sqrt 2. Since a^2 b^2 = 1, the coefficients are of similar
// size, and float32 rounds about as in a direct convolution. With the points 0, +-1, +-2 of Lavin &
// Gray it does not.
//
// This file is included once for every instruction set, inside a namespace and under a pragma that
// selects the set. It therefore includes nothing and calls no function from outside. The including
// file defines the width of a vector (CONVVIZ_BYTES, 32 or 64) and the number of tiles that are
// multiplied at a time (CONVVIZ_TILES, a divisor of 12). Vectors use the vector extension of the
// compilers, which split vectors that are wider than the machine's.

template <typename T, int bytes = CONVVIZ_BYTES>
struct Lanes {
  typedef T Vector __attribute__((vector_size(bytes)));
  static constexpr int count = bytes / sizeof(T);
};

#define CONVVIZ_INLINE static inline __attribute__((always_inline))

template <typename V, typename T>
CONVVIZ_INLINE V load(const T* from) {
  V v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

template <typename V, typename T>
CONVVIZ_INLINE void store(T* to, V v) {
  __builtin_memcpy(to, &v, sizeof v);
}

template <typename T>
struct Points {
  static constexpr T a = T(0.70710678118654752440), b = T(1.41421356237309504880);
};

// Input transform d -> B^T d, from 6 inputs to 6 points. The rows of a pair of points +-p differ in
// the sign of the odd terms only, so each pair shares its even and its odd part.
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

// Output transform m -> A^T m, from the products at 6 points to 4 outputs.
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

// Input transform of one tile, B^T d B: first down the columns, then along the rows. Point f of
// channel c is written to to[f * plane + c].
template <int bytes, typename T>
CONVVIZ_INLINE void transform_tile(const T* const pixels[36], int64_t channels, T* to,
                                   int64_t plane) {
  using V = typename Lanes<T, bytes>::Vector;
  for (int64_t c = 0; c < channels; c += Lanes<T, bytes>::count) {
    V half[6][6];
    for (int j = 0; j < 6; ++j) {
      V d[6], t[6];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) d[i] = load<V>(pixels[i * 6 + j] + c);
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

// Output transform of one tile, A^T m A, with bias and ReLU. Only the pixels inside of the window
// are written.
template <typename T>
CONVVIZ_INLINE void write_tile(const T* products, int64_t plane, int64_t filters, const T* bias,
                               bool relu, const Tile<T>& tile) {
  using V = typename Lanes<T>::Vector;
  for (int64_t k = 0; k < filters; k += Lanes<T>::count) {
    V half[4][6];
    for (int j = 0; j < 6; ++j) {
      V m[6], t[4];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) m[i] = load<V>(products + (i * 6 + j) * plane + k);
      transform_output<T>(m, t);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) half[i][j] = t[i];
    }
    const V shift = load<V>(bias + k);
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

// Product of CONVVIZ_TILES tiles `[tiles, C]` and the weights of one or two vectors of filters. The
// sums are kept in registers: with 6 tiles and 2 vectors they, the weights and an input fill the 16
// registers of AVX2; with 12 tiles they fill most of the 32 of AVX-512. The second vector of
// weights is `apart` elements behind the first.
template <int vectors, typename T>
CONVVIZ_INLINE void multiply(const T* tiles, int64_t channels, const T* weights, int64_t apart,
                             T* to, int64_t row) {
  using V = typename Lanes<T>::Vector;
  constexpr int lanes = Lanes<T>::count;
  V sum[CONVVIZ_TILES][vectors];
#pragma GCC unroll 12
  for (int r = 0; r < CONVVIZ_TILES; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) sum[r][v] = V{};
  }
  for (int64_t c = 0; c < channels; ++c) {
    V weight[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) weight[v] = load<V>(weights + c * kPanel<T> + v * apart);
#pragma GCC unroll 12
    for (int r = 0; r < CONVVIZ_TILES; ++r) {
      const T x = tiles[r * channels + c];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) sum[r][v] += x * weight[v];
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < CONVVIZ_TILES; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) store(to + r * row + v * lanes, sum[r][v]);
  }
}

// Convolves the tiles of a block. `room` is scratch memory for 36 planes of inputs and of products.
// A block is padded to a multiple of CONVVIZ_TILES tiles with what is in the scratch memory, which
// is initialized; their products are never written out.
template <typename T>
__attribute__((noinline)) static void convolve(const Layer<T>& layer, const Tile<T>* tiles,
                                               int64_t count, int64_t block, T* room) {
  constexpr int lanes = Lanes<T>::count;
  const int64_t channels = layer.channels, filters = layer.filters;
  const int64_t in_plane = plane_size(block, channels), out_plane = plane_size(block, filters);
  // Two vectors are in one panel, or in two consecutive ones.
  const int64_t apart = lanes < kPanel<T> ? lanes : kPanel<T> * channels;
  T* products = room + 36 * in_plane;
  for (int64_t t = 0; t < count; ++t) {
    if (channels % lanes == 0) {
      transform_tile<CONVVIZ_BYTES>(tiles[t].pixels, channels, room + t * channels, in_plane);
    } else {
      transform_tile<32>(tiles[t].pixels, channels, room + t * channels, in_plane);
    }
  }
  for (int64_t f = 0; f < 36; ++f) {
    const T* plane = room + f * in_plane;
    for (int64_t k = 0; k < filters; k += 2 * lanes) {
      const T* weights = layer.weights + (f * filters + k) * channels;
      T* to = products + f * out_plane + k;
      for (int64_t t = 0; t < count; t += CONVVIZ_TILES) {
        if (k + lanes < filters) {
          multiply<2>(plane + t * channels, channels, weights, apart, to + t * filters, filters);
        } else {
          multiply<1>(plane + t * channels, channels, weights, apart, to + t * filters, filters);
        }
      }
    }
  }
  for (int64_t t = 0; t < count; ++t) {
    write_tile(products + t * filters, out_plane, filters, layer.bias, layer.relu, tiles[t]);
  }
}

#undef CONVVIZ_INLINE
#undef CONVVIZ_BYTES
#undef CONVVIZ_TILES
