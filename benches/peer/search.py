"""Product search: character-3-gram TF-IDF, the best k by `sparse_dot_topn`, re-ranked by RapidFuzz.

Trigrams are those of scikit-learn's `char_wb` analyzer, counted by numpy for a whole batch at once.
A title that names brands is first looked up among the products of these brands: a column stands for a
(brand, trigram) pair, so one product of sparse matrices searches each row within its own brands. Only
where that finds nothing near enough are all products searched, without the trigrams that more than 20 %
of them have.
"""

import numpy as np
from rapidfuzz import fuzz, process
from scipy import sparse
from sparse_dot_topn import sp_matmul_topn

N_CODES = 64
COMMON = 0.2
NEAR_ENOUGH = 0.6
TOO_FAR = 0.2
TOP_K = 10

CODE_OF_ASCII = np.zeros(128, np.int64)
for place, char in enumerate("abcdefghijklmnopqrstuvwxyz0123456789"):
    CODE_OF_ASCII[ord(char)] = place + 1


def trigrams(texts):
    """(row, code of the trigram) pairs of folded texts, repeats included."""
    joined = " " + " ".join(texts) + " "
    chars = np.frombuffer(joined.encode("utf-32-le"), np.uint32)
    codes = np.where(chars < 128, CODE_OF_ASCII[np.minimum(chars, 127)], 37 + chars % (N_CODES - 37))
    rows = np.repeat(np.arange(len(texts)), [len(text) + 1 for text in texts])
    middle = codes[1:-1]
    keys = (codes[:-2] * N_CODES + middle) * N_CODES + codes[2:]
    kept = np.flatnonzero(middle)
    return rows[kept], keys[kept]


class Search:
    """An index over the products' titles."""

    def __init__(self, titles, brand_of):
        """`titles` folded; `brand_of` the number of each product's brand."""
        self.titles = titles
        n = len(titles)
        rows, keys = trigrams(titles)
        codes = np.unique(keys)
        self.column = np.full(N_CODES**3, -1, np.int32)
        self.column[codes] = np.arange(len(codes), dtype=np.int32)
        self.n_columns = len(codes)
        counts = self.count(rows, keys, n)
        df = np.bincount(counts.indices, minlength=self.n_columns)
        self.idf = (np.log((1 + n) / (1 + df)) + 1).astype(np.float32)
        matrix = self.weigh(counts)
        self.rare = (df <= COMMON * n).astype(np.float32)
        self.everything = matrix.multiply(self.rare[None, :]).tocsr()
        self.everything.eliminate_zeros()
        self.everything = self.everything.T.tocsr()
        entries = matrix.tocoo()
        pairs = brand_of[entries.row].astype(np.int64) * self.n_columns + entries.col
        self.pairs, place = np.unique(pairs, return_inverse=True)
        self.within = sparse.csr_matrix((entries.data, (place, entries.row)), shape=(len(self.pairs), n))

    def count(self, rows, keys, n_rows):
        columns = self.column[keys]
        known = columns >= 0
        merged, counts = np.unique(rows[known] * self.n_columns + columns[known], return_counts=True)
        indptr = np.searchsorted(merged, np.arange(n_rows + 1) * self.n_columns)
        shape = (n_rows, self.n_columns)
        return sparse.csr_matrix((counts.astype(np.float32), merged % self.n_columns, indptr), shape=shape)

    def weigh(self, counts):
        data = counts.data * self.idf[counts.indices]
        row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        norm = np.sqrt(np.bincount(row, data * data, counts.shape[0])).astype(np.float32)
        counts.data = data / np.maximum(norm, 1e-9)[row]
        return counts

    def best(self, texts, brands):
        """For each folded text and its brands' numbers: product (-1 for none), score 0 to 1.

        The score is the mean of cosine and `token_sort_ratio`, which ranked better than either alone.
        """
        n = len(texts)
        vectors = self.weigh(self.count(*trigrams(texts), n))
        asked = [(row, brand) for row, found in enumerate(brands) for brand in found]
        candidates = [self.in_brands(vectors, asked)] if asked else []
        nearest = np.zeros(n, np.float32)
        for rows, _, cosines in candidates:
            np.maximum.at(nearest, rows, cosines)
        left = np.flatnonzero(nearest < NEAR_ENOUGH)
        if len(left):
            candidates.append(self.anywhere(vectors, left))
        rows, products, cosines = (np.concatenate(parts) for parts in zip(*candidates))
        return self.rerank(texts, rows, products, cosines)

    def in_brands(self, vectors, asked):
        rows, brands = np.array(asked, np.int64).T
        entries = vectors[rows].tocoo()
        pairs = brands[entries.row] * self.n_columns + entries.col
        place = np.searchsorted(self.pairs, pairs)
        place[place == len(self.pairs)] = 0
        known = self.pairs[place] == pairs
        shape = (len(rows), len(self.pairs))
        queries = sparse.csr_matrix((entries.data[known], (entries.row[known], place[known])), shape=shape)
        return top(queries, self.within, rows)

    def anywhere(self, vectors, rows):
        queries = vectors[rows]
        queries.data *= self.rare[queries.indices]
        queries.eliminate_zeros()
        return top(queries, self.everything, rows)

    def rerank(self, texts, rows, products, cosines):
        best, score = np.full(len(texts), -1, np.int64), np.zeros(len(texts))
        if len(rows) == 0:
            return best, score
        titles = self.titles
        left = [texts[row] for row in rows.tolist()]
        right = [titles[product] for product in products.tolist()]
        near = process.cpdist(left, right, scorer=fuzz.token_sort_ratio, workers=1)
        total = (near / 100 + cosines) / 2
        order = np.lexsort((-products, total, rows))
        rows, products, total = rows[order], products[order], total[order]
        last = np.flatnonzero(np.append(rows[1:] != rows[:-1], True))
        best[rows[last]], score[rows[last]] = products[last], total[last]
        return best, score


def top(queries, matrix, rows):
    """(row, product, cosine) of the k best of each query."""
    found = sp_matmul_topn(queries, matrix, top_n=TOP_K, threshold=TOO_FAR)
    return (
        rows[np.repeat(np.arange(len(rows)), np.diff(found.indptr))],
        found.indices.astype(np.int64),
        found.data,
    )
