function x = decode_array(value, max_bytes)
  % The array that a value in a sample describes (docs/arrays.md), with the same indices, from 1.
  %
  % Of one dimension it is a column, of none a number. Half floats become single. max_bytes: the most that the elements
  % may occupy (64 MiB). Compressed ones take 10 microseconds for a byte.
  % Raises: radiod:array: it is none, breaks the convention, or is too large.
  if nargin < 2
    max_bytes = 64 * 2 ^ 20;
  end
  [dtype, shape, data, enc] = members(value);
  sizes = struct('b1', 1, 'i1', 1, 'i2', 2, 'i4', 4, 'i8', 8, 'u1', 1, 'u2', 2, 'u4', 4, 'u8', 8, ...
                 'f2', 2, 'f4', 4, 'f8', 8, 'c8', 8, 'c16', 16);
  form = '';
  if ischar(dtype)
    form = regexp(dtype, '^(?:<|\|(?=[biu]1$))(\w+)$', 'tokens', 'once');
  end
  if isempty(form) || ~isfield(sizes, form{1})
    wrong('dtype');
  end
  form = form{1};
  shape = extents(shape);
  bytes = prod(shape) * sizes.(form);
  if bytes > max_bytes
    wrong(sprintf('shape: the array has %.0f bytes, at most %.0f are allowed', bytes, max_bytes));
  end
  data = binary(data);
  if strcmp(enc, 'zlib')
    data = radiod.internal.inflate(data, bytes);
  elseif ~strcmp(enc, 'raw')
    wrong('enc');
  end
  if numel(data) ~= bytes
    wrong(sprintf('data: the shape wants %.0f bytes', bytes));
  end
  x = shaped(elements(data, form), shape);
end

function wrong(what)
  error('radiod:array', 'not an array: %s', what);
end

function [dtype, shape, data, enc] = members(value)
  % jsondecode makes x_nd of the key in MATLAB, and leaves it in Octave.
  if ~isstruct(value) || ~isscalar(value)
    wrong('expected a struct');
  end
  names = sort(strrep(fieldnames(value), 'x_nd', '_nd'));
  if ~isequal(names, sort({'_nd'; 'dtype'; 'shape'; 'data'; 'enc'}))
    wrong('expected _nd, dtype, shape, data and enc');
  end
  names = fieldnames(value);
  version = value.(names{~cellfun(@isempty, strfind(names, '_nd'))});
  if ~isnumeric(version) || ~isequal(version, 1)
    wrong('_nd: expected 1');
  end
  dtype = value.dtype;
  shape = value.shape;
  data = value.data;
  enc = value.enc;
end

function shape = extents(shape)
  % As a row. What jsondecode makes of [] and of a list of integers.
  if ~isnumeric(shape) || numel(shape) > 32 || numel(shape) ~= length(shape) && ~isempty(shape)
    wrong('shape: expected a list of at most 32 integers');
  end
  shape = double(shape(:)');
  if any(isnan(shape)) || any(shape < 0 | shape ~= floor(shape) | shape >= 2 ^ 53)
    wrong('shape: expected integers of 0 or more');
  end
  % An empty array has extents, too.
  if prod(max(shape, 1)) >= 2 ^ 53
    wrong('shape: more than a machine can address');
  end
end

function bytes = binary(data)
  % Bytes of base64; without the NUL in front, which this client takes away.
  if isnumeric(data) && isempty(data)
    data = '';
  end
  if ~ischar(data)
    wrong('data: expected base64');
  end
  if ~isempty(data) && data(1) == 0
    data = data(2:end);
  end
  bytes = zeros(1, 0, 'uint8');
  if ~isempty(data)
    if mod(numel(data), 4) ~= 0 || isempty(regexp(data, '^[A-Za-z0-9+/]+={0,2}$', 'once'))
      wrong('data: not base64');
    end
    bytes = uint8(matlab.net.base64decode(data));
    bytes = bytes(:)';
  end
end

function x = elements(bytes, form)
  % A row of numbers. typecast has the machine's order, little-endian nearly everywhere.
  classes = struct('b1', 'uint8', 'i1', 'int8', 'i2', 'int16', 'i4', 'int32', 'i8', 'int64', ...
                   'u1', 'uint8', 'u2', 'uint16', 'u4', 'uint32', 'u8', 'uint64', ...
                   'f2', 'uint16', 'f4', 'single', 'f8', 'double', 'c8', 'single', 'c16', 'double');
  if isempty(bytes)
    x = zeros(1, 0, classes.(form));
  else
    x = typecast(bytes, classes.(form));
  end
  [~, ~, order] = computer();
  if order == 'B'
    x = swapbytes(x);
  end
  switch form
    case 'b1'
      if any(x > 1)
        wrong('data: booleans are 0 or 1');
      end
      x = x ~= 0;
    case 'f2'
      x = halves(x);
    case {'c8', 'c16'}
      x = complex(x(1:2:end), x(2:2:end));
  end
end

function x = halves(bits)
  % Single precision holds each of them.
  bits = double(bits);
  exponent = mod(floor(bits / 1024), 32);
  fraction = mod(bits, 1024);
  x = (1 + fraction / 1024) .* 2 .^ (exponent - 15);
  small = exponent == 0;
  x(small) = fraction(small) * 2 ^ -24;
  x(exponent == 31 & fraction == 0) = Inf;
  x(exponent == 31 & fraction > 0) = NaN;
  x = single(x .* (1 - 2 * (bits >= 32768)));
end

function x = shaped(x, shape)
  % The last index runs fastest in what came, the first one here.
  if numel(shape) < 2
    x = reshape(x, [shape, 1, 1]);
  else
    x = permute(reshape(x, fliplr(shape)), numel(shape):-1:1);
  end
end
