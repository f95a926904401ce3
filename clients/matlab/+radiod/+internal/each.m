function cells = each(values)
  % A JSON array of objects, which jsondecode makes a struct array, a cell, or [], as a cell.
  if isstruct(values)
    cells = num2cell(values(:)');
  elseif iscell(values)
    cells = values(:)';
  else
    cells = {};
  end
end
