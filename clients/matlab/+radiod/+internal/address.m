function text = address(server, path, varargin)
  % An address with a query. path: its parts, in a cell. varargin: names and values; '' and [] are left out.
  text = server;
  for i = 1:numel(path)
    text = [text '/' encoded(path{i})]; %#ok<AGROW>
  end
  mark = '?';
  for i = 1:2:numel(varargin)
    value = varargin{i + 1};
    if ~isempty(value)
      if isnumeric(value) || islogical(value)
        value = sprintf('%.15g', value);
      end
      text = [text mark varargin{i} '=' encoded(value)]; %#ok<AGROW>
      mark = '&';
    end
  end
end

function text = encoded(text)
  bytes = double(radiod.internal.to_bytes(text));
  parts = arrayfun(@(byte) sprintf('%%%02X', byte), bytes, 'UniformOutput', false);
  plain = bytes < 128 & (isstrprop(char(bytes), 'alphanum') | ismember(char(bytes), '-._~'));
  parts(plain) = num2cell(char(bytes(plain)));
  text = [parts{:}];
end
