function [epoch, number] = parts(position)
  % Of a position. '' and 0 of none.
  epoch = '';
  number = 0;
  found = regexp(position, '^(.*):(\d+)$', 'tokens', 'once');
  if ~isempty(found)
    epoch = found{1};
    number = str2double(found{2});
  end
end
