function bytes = inflate(data, size)
  % What a zlib stream (RFC 1950, 1951) holds: a row of exactly size bytes. data: a row of uint8.
  %
  % Never makes more than size bytes of it, and takes nothing behind it. Raises: radiod:array.
  bytes = [];
  try
    bytes = inflated(data, size);
  catch trouble
    if ~strcmp(trouble.identifier, 'radiod:array')
      % Bits behind the end.
      wrong();
    end
    rethrow(trouble);
  end
end

function wrong()
  error('radiod:array', 'not an array: data: expected one zlib stream, as long as the shape wants');
end

function out = inflated(data, size)
  head = double(data(1:2));
  if mod(head(1), 16) ~= 8 || head(1) > 127 || mod(head * [256; 1], 31) ~= 0 || bitand(head(2), 32) ~= 0
    wrong();
  end
  [bits, peek] = prepared(data(3:end));
  out = zeros(1, size, 'uint8');
  filled = 0;
  at = 1;
  is_last = false;
  while ~is_last
    is_last = bits(at) == 1;
    kind = number(bits, at + 1, 2);
    at = at + 3;
    switch kind
      case 0
        [out, filled, at] = stored(out, filled, at, bits, data);
      case 1
        lengths = [8 * ones(1, 144), 9 * ones(1, 112), 7 * ones(1, 24), 8 * ones(1, 8)];
        [out, filled, at] = block(out, filled, at, bits, peek, table(lengths), table(5 * ones(1, 30)));
      case 2
        [literals, distances, at] = dynamic(at, bits, peek);
        [out, filled, at] = block(out, filled, at, bits, peek, literals, distances);
      otherwise
        wrong();
    end
  end
  check = 2 + ceil((at - 1) / 8);
  if filled ~= size || numel(data) ~= check + 4 || ~isequal(double(data(check + 1:end)), adler(double(out)))
    wrong();
  end
end

function [bits, peek] = prepared(data)
  % All bits, in the order in which they are read; and at each of them the next 15, the first one highest.
  bits = zeros(8, numel(data), 'uint16');
  for k = 1:8
    bits(k, :) = bitget(data, k);
  end
  bits = bits(:)';
  padded = [bits, zeros(1, 14, 'uint16')];
  peek = zeros(1, numel(bits), 'uint16');
  for k = 0:14
    peek = peek * 2 + padded(1 + k:numel(bits) + k);
  end
  bits = double(bits);
end

function n = number(bits, at, count)
  % So many bits, the first one lowest.
  n = sum(bits(at:at + count - 1) .* 2 .^ (0:count - 1));
end

function codes = table(lengths)
  % For each 15 bits the symbol that they begin with (from 0) times 16, plus the length of its code; 0: none.
  codes = zeros(1, 32768);
  at = 0;
  for length = 1:15
    span = 2 ^ (15 - length);
    for symbol = find(lengths == length)
      if at + span > 32768
        wrong();
      end
      codes(at + 1:at + span) = (symbol - 1) * 16 + length;
      at = at + span;
    end
  end
end

function [literals, distances, at] = dynamic(at, bits, peek)
  counts = [number(bits, at, 5) + 257, number(bits, at + 5, 5) + 1, number(bits, at + 10, 4) + 4];
  at = at + 14;
  order = [16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1 15] + 1;
  first = zeros(1, 19);
  for k = 1:counts(3)
    first(order(k)) = number(bits, at, 3);
    at = at + 3;
  end
  codes = table(first);
  lengths = [];
  while numel(lengths) < counts(1) + counts(2)
    code = codes(double(peek(at)) + 1);
    if code == 0
      wrong();
    end
    at = at + mod(code, 16);
    symbol = floor(code / 16);
    if symbol < 16
      lengths(end + 1) = symbol; %#ok<AGROW>
    else
      % Repeat the one before, or zeros.
      extra = [2 3 7];
      least = [3 3 11];
      extra = extra(symbol - 15);
      repeated = 0;
      if symbol == 16
        repeated = lengths(end);
      end
      lengths = [lengths, repeated * ones(1, least(symbol - 15) + number(bits, at, extra))]; %#ok<AGROW>
      at = at + extra;
    end
  end
  if numel(lengths) ~= counts(1) + counts(2) || counts(1) > 286
    wrong();
  end
  literals = table(lengths(1:counts(1)));
  distances = table(lengths(counts(1) + 1:end));
end

function [out, filled, at] = stored(out, filled, at, bits, data)
  at = 8 * ceil((at - 1) / 8) + 1;
  count = number(bits, at, 16);
  if count + number(bits, at + 16, 16) ~= 65535 || filled + count > numel(out)
    wrong();
  end
  from = 2 + (at + 31) / 8;
  out(filled + 1:filled + count) = data(from + 1:from + count);
  filled = filled + count;
  at = at + 32 + 8 * count;
end

function [out, filled, at] = block(out, filled, at, bits, peek, literals, distances)
  more = [0 0 0 0 0 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4 4 4 4 5 5 5 5 0];
  base = [3:10, 11:2:17, 19:4:31, 35:8:59, 67:16:115, 131:32:227, 258];
  far_more = [0 0, floor((0:27) / 2)];
  far_base = [1 2, 1 + 2 .^ far_more(3:end) .* (2 + mod(0:27, 2))];
  room = numel(out);
  while true
    code = literals(double(peek(at)) + 1);
    at = at + mod(code, 16);
    symbol = floor(code / 16);
    if symbol < 256
      if filled == room || code == 0
        wrong();
      end
      filled = filled + 1;
      out(filled) = symbol;
    elseif symbol == 256
      return
    else
      k = symbol - 256;
      count = base(k) + number(bits, at, more(k));
      at = at + more(k);
      code = distances(double(peek(at)) + 1);
      at = at + mod(code, 16);
      k = floor(code / 16) + 1;
      back = far_base(k) + number(bits, at, far_more(k));
      at = at + far_more(k);
      if code == 0 || back > filled || filled + count > room
        wrong();
      end
      % It may repeat what it is only making.
      out(filled + 1:filled + count) = out(filled - back + 1 + mod(0:count - 1, back));
      filled = filled + count;
    end
  end
end

function check = adler(bytes)
  % The four bytes at the end of a stream.
  n = numel(bytes);
  low = mod(1 + sum(bytes), 65521);
  high = mod(n + sum(mod(n:-1:1, 65521) .* bytes), 65521);
  check = [floor(high / 256), mod(high, 256), floor(low / 256), mod(low, 256)];
end
